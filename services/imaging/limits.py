"""How big an image may be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageLimits:
    """Bounds of an accepted image. Pixels are width times height, judged from the header."""

    max_bytes: int = 10 * 1024 * 1024
    max_jpeg_pixels: int = 35_000_000
    # Half as many as JPEG: PNG and WebP cannot be decoded at a reduced size, and carry alpha.
    max_other_pixels: int = 17_000_000
    min_side_px: int = 8
    max_aspect: int = 40


DEFAULT_LIMITS = ImageLimits()
