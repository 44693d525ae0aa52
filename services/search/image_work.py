"""Work on image bytes, in threads of its own: digests, checks, scaled copies."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from services.imaging import ImageHeader, decode_image, encode_jpeg, read_header

_Value = TypeVar("_Value")
# What a 35-megapixel photo may take as JPEG is more than a message may hold.
_MAX_JPEG_BYTES = 11 * 1024 * 1024
MAX_SIDE_PX = 4096


@dataclass(frozen=True)
class ScaledJpeg:
    """A JPEG file without metadata, and its size."""

    data: bytes
    width_px: int
    height_px: int


class ImageWork:
    """Runs image work in a few threads, and keeps the scaled copies that were asked for last.

    Args:
        threads: how many; each may hold one decoded image (105 MB at most).
        cache_bytes: most bytes of scaled copies kept.
    """

    def __init__(self, threads: int = 2, cache_bytes: int = 64 * 1024 * 1024) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="images")
        self._cache: OrderedDict[tuple[str, int], ScaledJpeg] = OrderedDict()
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0

    async def digest(self, data: bytes) -> str:
        """The image id of a file: "sha256:" and 64 hex digits."""
        return "sha256:" + await self._run(lambda: hashlib.sha256(data).hexdigest())

    async def header(self, data: bytes) -> ImageHeader:
        """Upright size and format. Raises ImageRefused."""
        return await self._run(lambda: read_header(data))

    async def check(self, data: bytes) -> None:
        """Decodes the file to the last pixel. Raises ImageRefused."""
        await self._run(lambda: decode_image(data))

    def cached(self, image_id: str, max_side_px: int) -> ScaledJpeg | None:
        """A copy made before, or None."""
        copy = self._cache.get((image_id, max_side_px))
        if copy is not None:
            self._cache.move_to_end((image_id, max_side_px))
        return copy

    async def scaled(self, image_id: str, data: bytes, max_side_px: int) -> ScaledJpeg:
        """A JPEG whose longest side is at most `max_side_px` (0: full size). Raises ImageRefused."""
        copy = await self._run(lambda: _scale(data, max_side_px))
        if len(copy.data) <= self._cache_bytes // 4 and (image_id, max_side_px) not in self._cache:
            self._cache[image_id, max_side_px] = copy
            self._cached_bytes += len(copy.data)
            while self._cached_bytes > self._cache_bytes:
                _, oldest = self._cache.popitem(last=False)
                self._cached_bytes -= len(oldest.data)
        return copy

    def forget(self, image_id: str) -> None:
        """Drops the copies of an image that was removed."""
        for key in [key for key in self._cache if key[0] == image_id]:
            self._cached_bytes -= len(self._cache.pop(key).data)

    def close(self) -> None:
        """Waits for the work at hand."""
        self._executor.shutdown()

    async def _run(self, work: Callable[[], _Value]) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)


def _scale(data: bytes, max_side_px: int) -> ScaledJpeg:
    # Twice the size wanted is enough for the resampling filter, and decodes much faster.
    enough = (2 * max_side_px, 2 * max_side_px) if max_side_px else None
    image = decode_image(data, enough_px=enough)
    jpeg = encode_jpeg(image, max_side_px=max_side_px or None)
    if len(jpeg) > _MAX_JPEG_BYTES:
        jpeg = encode_jpeg(image, max_side_px=MAX_SIDE_PX, quality=80)
    header = read_header(jpeg)
    return ScaledJpeg(jpeg, header.width_px, header.height_px)
