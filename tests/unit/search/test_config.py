"""Settings of the search process."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from services.search.config import SearchConfig


def test_defaults_need_no_environment() -> None:
    config = SearchConfig()
    assert (config.port, config.embedder_address) == (50052, "127.0.0.1:50051")
    assert config.media_location() == ".insitu/data/media"


def test_api_key_is_not_sent_in_clear_text_to_another_machine() -> None:
    with pytest.raises(ValidationError, match="clear text"):
        SearchConfig(qdrant_url="http://db.example:6333", qdrant_api_key="k")
    for url in ("https://db.example:6333", "http://127.0.0.1:6333"):
        assert SearchConfig(qdrant_url=url, qdrant_api_key="k").qdrant_url == url


def test_secrets_are_not_in_the_printed_configuration() -> None:
    config = SearchConfig(qdrant_url="http://127.0.0.1:1", qdrant_api_key="hunter2", embedder_token="hunter3")
    assert "hunter" not in repr(config) + repr(config.embedder_client())


@pytest.mark.parametrize("url", ["db:6333", "ftp://db", "http://"])
def test_unusable_qdrant_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="INSITU_QDRANT_URL"):
        SearchConfig(qdrant_url=url)
