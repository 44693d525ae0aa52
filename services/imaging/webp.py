"""Reads the header of a WebP file (RFC 9649)."""

import struct

from services.imaging.container import MAX_PARTS, Container
from services.imaging.exif import UPRIGHT, read_orientation
from services.imaging.refusals import corrupt, not_an_image

_CHUNK = struct.Struct("<4sI")


def parse_webp(data: bytes) -> Container:
    """Parse `data`, which begins with WebP's magic.

    Raises:
        ImageRefused: NOT_AN_IMAGE if there is no picture chunk or a dimension is zero; CORRUPT if the file
            is shorter than it says.
    """
    (riff_size,) = struct.unpack_from("<I", data, 4)
    end = 8 + riff_size
    if len(data) < 30:
        raise not_an_image()
    width_px, height_px = _read_size(data)
    if end > len(data):
        raise corrupt()
    orientation = UPRIGHT
    position = 12
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            # libwebp reads pixels from the whole file; only data appended after the RIFF is cut.
            return Container("WEBP", width_px, height_px, orientation, (memoryview(data)[:end],))
        kind, length = _CHUNK.unpack_from(data, position)
        if kind == b"EXIF":
            orientation = read_orientation(memoryview(data)[position + 8 : position + 8 + length])
        position += 8 + length + (length & 1)
    raise corrupt()


def _read_size(data: bytes) -> tuple[int, int]:
    """Width and height from the first chunk: lossy, lossless or extended."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width_px, height_px = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
    elif kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        width_px, height_px = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        width_px = int.from_bytes(body[4:7], "little") + 1
        height_px = int.from_bytes(body[7:10], "little") + 1
    else:
        raise not_an_image()
    if not width_px or not height_px:
        raise not_an_image()
    return width_px, height_px
