"""Decodes an accepted file to an upright RGB image.

Only the three plugins below ever run: Pillow's `Image.open` would try others and emit warnings.
"""

from io import BytesIO

import numpy as np
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from services.imaging.container import Container
from services.imaging.header import header_of, open_container
from services.imaging.limits import DEFAULT_LIMITS, ImageLimits
from services.imaging.png import check_png_checksums
from services.imaging.refusals import corrupt

_PLUGINS: dict[str, type[ImageFile]] = {"JPEG": JpegImageFile, "PNG": PngImageFile, "WEBP": WebPImageFile}
_TO_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE = (255, 255, 255)


def decode_image(
    data: bytes, limits: ImageLimits = DEFAULT_LIMITS, *, enough_px: tuple[int, int] | None = None
) -> Image.Image:
    """Decode an image file to mode RGB, upright, alpha on white, first frame, no metadata.

    Args:
        data: the file.
        limits: bounds; see `ImageLimits`.
        enough_px: a width and height of the upright image that is enough for the caller. A JPEG may then
            come out at 1/2, 1/4 or 1/8 of its size, never smaller than this, several times faster.
            Read the scale from the result's size and `read_header`.

    Raises:
        ImageRefused: any of its reasons.
    """
    return decode_container(open_container(data, limits), enough_px=enough_px)


def decode_container(container: Container, *, enough_px: tuple[int, int] | None = None) -> Image.Image:
    """As `decode_image`, of a file that `open_container` has accepted."""
    if container.format == "PNG":
        check_png_checksums(container)
    try:
        image = _load(container, enough_px)
        rgb = _to_rgb(image)
    except MemoryError:
        raise
    except Exception as error:  # hostile bytes make decoders raise nearly anything
        raise corrupt() from error
    if rgb is image:
        rgb = rgb.copy()  # a plain Image: the file object keeps the bytes and the decoder alive
    upright = (
        rgb.transpose(_TO_UPRIGHT[container.orientation]) if container.orientation in _TO_UPRIGHT else rgb
    )
    upright.info.clear()
    return upright


def _load(container: Container, enough_px: tuple[int, int] | None) -> ImageFile:
    image = _PLUGINS[container.format](BytesIO(b"".join(container.essential)))
    if image.size != (container.stored_width_px, container.stored_height_px):
        raise corrupt()
    if enough_px is not None and container.format == "JPEG":
        turned = header_of(container).width_px != container.stored_width_px
        image.draft(image.mode, enough_px[::-1] if turned else enough_px)
    image.load()
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "I;16":
        return _grey16_to_rgb(image)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        on_white = Image.new("RGB", rgba.size, _WHITE)
        on_white.paste(rgba, mask=rgba.getchannel("A"))
        return on_white
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey16_to_rgb(image: Image.Image) -> Image.Image:
    """16-bit grey keeps its high byte; Pillow's own conversion clips at 255, leaving white."""
    grey16 = np.asarray(image)  # (H, W) uint16
    grey8 = (grey16 >> 8).astype(np.uint8)
    if isinstance(transparent := image.info.get("transparency"), int):
        grey8[grey16 == transparent] = 255
    return Image.fromarray(grey8).convert("RGB")
