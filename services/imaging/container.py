"""What the three file formats are reduced to before any decoder sees them."""

from dataclasses import dataclass

from services.imaging.sniff import Format

# A container with more parts than this is an attack on the parser: phone photos have a few dozen.
MAX_PARTS = 100_000


@dataclass(frozen=True)
class Container:
    """A parsed image file.

    Attributes:
        format: "JPEG", "PNG" or "WEBP".
        stored_width_px: width as stored, before the orientation is applied.
        stored_height_px: height as stored.
        orientation: EXIF orientation, 1 to 8.
        essential: the parts of the file that hold pixels; metadata, comments, colour profiles, further
            frames and appended data are left out, so that no decoder parses them and nothing in them
            (such as a GPS position) can leak.
    """

    format: Format
    stored_width_px: int
    stored_height_px: int
    orientation: int
    essential: tuple[bytes | memoryview, ...]
