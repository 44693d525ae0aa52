"""Writes images for others to see."""

from io import BytesIO

from PIL import Image


def encode_jpeg(image: Image.Image, *, max_side_px: int | None = None, quality: int = 88) -> bytes:
    """Encode `image` as a JPEG with no metadata at all.

    Args:
        image: any mode that converts to RGB.
        max_side_px: shrink so that the long side has at most this many pixels; never enlarges.
        quality: libjpeg's quality, 1 to 95.
    """
    picture = image.convert("RGB")  # a copy, always
    picture.info.clear()  # Pillow would copy comments and profiles from here
    if max_side_px is not None and max(picture.size) > max_side_px:
        picture.thumbnail((max_side_px, max_side_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    out = BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()
