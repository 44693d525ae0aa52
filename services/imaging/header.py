"""Judges an image from its header, before a pixel is decoded."""

from dataclasses import dataclass

from services.imaging.container import Container
from services.imaging.jpeg import parse_jpeg
from services.imaging.limits import DEFAULT_LIMITS, ImageLimits
from services.imaging.png import parse_png
from services.imaging.refusals import ImageRefused
from services.imaging.sniff import Format, sniff_format
from services.imaging.webp import parse_webp

_PARSERS = {"JPEG": parse_jpeg, "PNG": parse_png, "WEBP": parse_webp}
# EXIF orientations that turn the image by a quarter, so that width and height change places.
_QUARTER_TURNS = frozenset({5, 6, 7, 8})


@dataclass(frozen=True)
class ImageHeader:
    """Size of the EXIF-upright image, in pixels, and the file's format."""

    width_px: int
    height_px: int
    format: Format


def read_header(data: bytes, limits: ImageLimits = DEFAULT_LIMITS) -> ImageHeader:
    """Return the upright size and the format of the image file `data`, without decoding pixels.

    Raises:
        ImageRefused: for every reason that can be told without decoding.
    """
    return header_of(open_container(data, limits))


def header_of(container: Container) -> ImageHeader:
    """The header of a parsed file."""
    size = (container.stored_width_px, container.stored_height_px)
    width_px, height_px = size[::-1] if container.orientation in _QUARTER_TURNS else size
    return ImageHeader(width_px, height_px, container.format)


def open_container(data: bytes, limits: ImageLimits) -> Container:
    """Parse `data` and hold it against `limits`.

    Raises:
        ImageRefused: EMPTY, TOO_BIG, NOT_AN_IMAGE, UNSUPPORTED_FORMAT, CORRUPT, TOO_MANY_PIXELS,
            TOO_SMALL or BAD_SHAPE.
    """
    if not data:
        raise ImageRefused("EMPTY", "The image file is empty.")
    if len(data) > limits.max_bytes:
        raise ImageRefused(
            "TOO_BIG", f"The image file is larger than {limits.max_bytes / 2**20:.0f} MB; save it smaller."
        )
    container = _PARSERS[sniff_format(data)](data)
    width_px, height_px = container.stored_width_px, container.stored_height_px
    max_pixels = limits.max_jpeg_pixels if container.format == "JPEG" else limits.max_other_pixels
    if width_px * height_px > max_pixels:
        raise ImageRefused(
            "TOO_MANY_PIXELS",
            f"The image has {width_px} x {height_px} pixels; "
            f"at most {max_pixels // 1_000_000} megapixels are accepted.",
        )
    short_px, long_px = sorted((width_px, height_px))
    if short_px < limits.min_side_px:
        raise ImageRefused(
            "TOO_SMALL",
            f"The image measures {width_px} x {height_px} pixels; "
            f"each side needs at least {limits.min_side_px}.",
        )
    if long_px > limits.max_aspect * short_px:
        raise ImageRefused(
            "BAD_SHAPE", f"The image is more than {limits.max_aspect} times as long as it is wide; crop it."
        )
    return container
