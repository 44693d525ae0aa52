"""Reads the one EXIF field that matters, the orientation, and nothing else.

Pillow's own EXIF reader warns, raises or grows on junk; junk EXIF must not cost a person the photo.
"""

import struct

_ORIENTATION_TAG = 0x0112
_SHORT = 3
UPRIGHT = 1


def read_orientation(exif: bytes | memoryview) -> int:
    """Return the orientation, 1 to 8, of an EXIF block (with or without its "Exif" prefix).

    Anything unreadable or out of range counts as upright (1).
    """
    tiff = bytes(exif[:65536])
    tiff = tiff.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        (magic, ifd_offset) = struct.unpack_from(f"{order}HI", tiff, 2)
        (entries,) = struct.unpack_from(f"{order}H", tiff, ifd_offset)
        if magic != 42:
            return UPRIGHT
        for index in range(entries):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, ifd_offset + 2 + 12 * index)
            if tag == _ORIENTATION_TAG:
                return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT
