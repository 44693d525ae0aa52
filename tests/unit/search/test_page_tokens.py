"""Page tokens are bound to their query."""

from __future__ import annotations

import pytest

from insitu.search.v1 import catalog_pb2, search_pb2
from services.runtime.errors import InvalidInput
from services.search.page_tokens import page_position, page_size, page_token


def a_request(**fields: object) -> search_pb2.SearchProductsRequest:
    return search_pb2.SearchProductsRequest(product_id="p", **fields)  # type: ignore[arg-type]


def test_token_gives_its_position_back_to_the_same_query_with_any_page_size() -> None:
    token = page_token(a_request(page_size=5), "20")
    assert page_position(a_request(page_token=token, page_size=50)) == "20"
    assert page_position(a_request()) == ""


def test_token_of_another_query_or_message_is_refused() -> None:
    token = page_token(a_request(), "20")
    others = [
        search_pb2.SearchProductsRequest(product_id="q", page_token=token),
        a_request(min_score=0.5, page_token=token),
        search_pb2.SearchScenesRequest(product_id="p", page_token=token),
        catalog_pb2.ListProductsRequest(page_token=token),
    ]
    for other in others:
        with pytest.raises(InvalidInput, match="does not belong"):
            page_position(other)


def test_every_changed_character_of_a_token_is_noticed() -> None:
    token = page_token(a_request(), "20")
    for at in range(len(token) - 1):
        forged = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(InvalidInput):
            page_position(a_request(page_token=forged))


@pytest.mark.parametrize(("asked", "size"), [(0, 20), (1, 1), (100, 100), (10**9, 100)])
def test_page_size_has_a_default_and_a_maximum(asked: int, size: int) -> None:
    assert page_size(asked, default=20, most=100) == size


def test_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidInput):
        page_size(-1, default=20, most=100)
