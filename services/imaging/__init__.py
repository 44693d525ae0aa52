"""Hostile bytes in, bounded upright RGB images out; boxes; JPEG without metadata.

No gRPC and no network here: refusals are `ImageRefused` and `BoxRefused`, both `ValueError`,
with a stable `reason` in capitals and a `message` of one sentence for a person.
"""

from services.imaging.box import MIN_BOX_SIDE_PX, Box
from services.imaging.decode import decode_image
from services.imaging.encode import encode_jpeg
from services.imaging.header import ImageHeader, read_header
from services.imaging.limits import DEFAULT_LIMITS, ImageLimits
from services.imaging.refusals import ACCEPTED_FORMATS, BoxRefused, ImageRefused

__all__ = [
    "ACCEPTED_FORMATS",
    "DEFAULT_LIMITS",
    "MIN_BOX_SIDE_PX",
    "Box",
    "BoxRefused",
    "ImageHeader",
    "ImageLimits",
    "ImageRefused",
    "decode_image",
    "encode_jpeg",
    "read_header",
]
