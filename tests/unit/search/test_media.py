"""The media store, in a folder and behind an fsspec URL."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.errors import Unavailable
from services.search.media import Media, is_image_id

DATA = b"some image"
IMAGE_ID = "sha256:" + hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "url"])
def media(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Media]:
    store = Media(str(tmp_path / "m") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/media")
    yield store
    store.close()


async def test_what_was_put_is_there_until_it_is_deleted(media: Media) -> None:
    assert not await media.has(IMAGE_ID)
    assert await media.get(IMAGE_ID) is None
    await media.put(IMAGE_ID, DATA)
    await media.put(IMAGE_ID, DATA)
    assert await media.has(IMAGE_ID)
    assert await media.get(IMAGE_ID) == DATA
    await media.delete(IMAGE_ID)
    await media.delete(IMAGE_ID)
    assert not await media.has(IMAGE_ID)


async def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media = Media(str(tmp_path))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("services.search.media.os.fsync", full)
    with pytest.raises(Unavailable) as caught:
        await media.put(IMAGE_ID, DATA)
    assert caught.value.reason == "DISK_FULL"
    assert not [name for _, _, names in os.walk(tmp_path) for name in names]
    media.close()


def test_unknown_scheme_refuses_to_start() -> None:
    with pytest.raises(SystemExit, match="INSITU_MEDIA_URL"):
        Media("nosuchscheme://x")


@pytest.mark.parametrize(
    "text", ["", "sha256:", "../../etc/passwd", IMAGE_ID.upper(), IMAGE_ID + "/..", IMAGE_ID + "\n"]
)
def test_only_digests_are_image_ids(text: str) -> None:
    assert is_image_id(IMAGE_ID)
    assert not is_image_id(text)
