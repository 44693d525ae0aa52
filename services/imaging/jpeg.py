"""Walks the segments of a JPEG file (ITU-T T.81, annex B)."""

import re

from services.imaging.container import MAX_PARTS, Container
from services.imaging.exif import UPRIGHT, read_orientation
from services.imaging.refusals import corrupt, not_an_image

# A marker: fill bytes, then a code that is neither stuffing (00) nor fill (ff).
_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
# The same inside entropy-coded data, where restart markers (d0 to d7) belong to the data.
_MARKER_IN_SCAN = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_STANDALONE = frozenset({0x01, _SOI, *range(0xD0, 0xD8)})
# JFIF and Adobe markers say how colours are stored; the other application segments and comments do not.
_APP0, _APP1, _APP14, _COM = 0xE0, 0xE1, 0xEE, 0xFE
_DROPPED = frozenset({*range(0xE0, 0xF0), _COM}) - {_APP0, _APP14}

# A progressive file may hold thousands of nearly empty scans, each costing a pass over every pixel.
# Encoders write about ten; mozjpeg's search at most 64.
_MAX_SCANS = 100


def parse_jpeg(data: bytes) -> Container:
    """Parse `data`, which begins with a JPEG's magic.

    Raises:
        ImageRefused: NOT_AN_IMAGE if nothing but the magic is a JPEG or a dimension is zero; CORRUPT if
            the file is cut short (no end marker after the pixels) or its segments do not add up.
    """
    view = memoryview(data)
    essential: list[bytes | memoryview] = [b"\xff\xd8"]
    size: tuple[int, int] | None = None
    orientation = UPRIGHT
    position = 2
    scans = 0
    for part in range(MAX_PARTS):
        marker = (_MARKER_IN_SCAN if scans else _MARKER).search(data, position)
        if marker is None:
            raise corrupt() if part else not_an_image()
        code = marker[1][0]
        if scans:
            essential.append(view[position : marker.start()])
        position = marker.end()
        if code in _STANDALONE:
            continue
        if code == _EOI:
            if not scans or size is None:
                raise corrupt()
            essential.append(b"\xff\xd9")
            return Container("JPEG", *size, orientation, tuple(essential))
        length = int.from_bytes(data[position : position + 2], "big")
        payload = view[position + 2 : position + length]
        if length < 2 or len(payload) != length - 2:
            raise corrupt() if part else not_an_image()
        position += length
        if code in _FRAME_HEADERS:
            if size is not None or len(payload) < 6:
                raise corrupt()
            size = (int.from_bytes(payload[3:5], "big"), int.from_bytes(payload[1:3], "big"))
            if 0 in size:
                raise not_an_image()
        elif code == _APP1 and orientation == UPRIGHT and bytes(payload[:6]) == b"Exif\x00\x00":
            orientation = read_orientation(payload)
        elif code == _SOS:
            scans += 1
            if scans > _MAX_SCANS:
                raise corrupt()
        if code not in _DROPPED:
            essential += (bytes((0xFF, code)), view[position - length : position])
    raise corrupt()
