"""Scaled copies and their cache."""

from __future__ import annotations

import os
from io import BytesIO

import pytest
from PIL import Image

from services.imaging import ImageRefused
from services.search.image_work import ImageWork


def a_photo(width: int, height: int) -> bytes:
    out = BytesIO()
    Image.frombytes("RGB", (width, height), os.urandom(3 * width * height)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(("side", "size"), [(0, (300, 200)), (150, (150, 100)), (600, (300, 200))])
async def test_copies_are_scaled_down_and_never_up(side: int, size: tuple[int, int]) -> None:
    work = ImageWork()
    copy = await work.scaled("id", a_photo(300, 200), side)
    assert (copy.width_px, copy.height_px) == size == Image.open(BytesIO(copy.data)).size
    work.close()


async def test_cache_keeps_what_was_asked_for_last_within_its_bound() -> None:
    work = ImageWork(cache_bytes=100_000)
    data = a_photo(100, 100)
    for number in range(30):
        await work.scaled(f"id{number}", data, 64)
        assert work.cached("id0", 64) is not None
    assert work._cached_bytes <= 100_000
    assert work.cached("id1", 64) is None
    assert work.cached("id29", 64) is not None
    work.forget("id29")
    assert work.cached("id29", 64) is None
    work.close()


async def test_unusable_files_are_refused() -> None:
    work = ImageWork()
    for call in (work.header(b"x"), work.check(b"x"), work.scaled("id", b"x", 64)):
        with pytest.raises(ImageRefused):
            await call
    work.close()
