"""Walks the chunks of a PNG file (W3C PNG, third edition)."""

import struct
import zlib

from services.imaging.container import MAX_PARTS, Container
from services.imaging.exif import UPRIGHT, read_orientation
from services.imaging.refusals import corrupt, not_an_image
from services.imaging.sniff import PNG_SIGNATURE

_HEAD = struct.Struct(">I4s")
# Of an animated PNG only the default image is kept, which is its first frame in practice.
_KEPT = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})


def parse_png(data: bytes) -> Container:
    """Parse `data`, which begins with PNG's signature.

    Raises:
        ImageRefused: NOT_AN_IMAGE if there is no header chunk or a dimension is zero; CORRUPT if the file
            is cut short or the checksum of a part that holds pixels is wrong.
    """
    view = memoryview(data)
    width_px, height_px = _read_size(data)
    essential: list[bytes | memoryview] = [PNG_SIGNATURE]
    orientation = UPRIGHT
    has_pixels = False
    position = len(PNG_SIGNATURE)
    end = len(data)
    for _ in range(MAX_PARTS):
        if position + 12 > end:
            break
        length, kind = _HEAD.unpack_from(data, position)
        after = position + 12 + length
        if after > end:
            break
        if kind in _KEPT:
            essential.append(view[position:after])
            has_pixels = has_pixels or kind == b"IDAT"
            if kind == b"IEND":
                if not has_pixels:
                    break
                return Container("PNG", width_px, height_px, orientation, tuple(essential))
        elif kind == b"eXIf":
            orientation = read_orientation(view[position + 8 : after - 4])
        position = after
    raise corrupt()


def check_png_checksums(container: Container) -> None:
    """Raise `ImageRefused` CORRUPT if a kept chunk's CRC is wrong; Pillow does not look at pixel chunks'."""
    for chunk in container.essential[1:]:
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise corrupt()


def _read_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33 or data[8:16] != b"\x00\x00\x00\rIHDR":
        raise not_an_image()
    width_px, height_px = struct.unpack_from(">II", data, 16)
    if not 0 < width_px < 2**31 or not 0 < height_px < 2**31:
        raise not_an_image()
    return width_px, height_px
