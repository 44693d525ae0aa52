"""From image files and boxes to the network's input: the one definition of a crop.

Queries, indexing, training and evaluation all come through here.

A box is grown by the model's padding, which is counted in a 256 x 256 frame (so that it scales with the
box), and the grown box is resized into the middle of the network's square input. A long box keeps the
square root of its aspect there: stretching it over the square loses its shape, keeping its shape loses
resolution, and the middle way found most. What lies beside it, or outside the photo, is white, as behind an
iconic product. A whole image is treated in the same way, without padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from services.embedder.model_info import FRAME_PX, Preprocessing
from services.imaging import DEFAULT_LIMITS, Box, ImageLimits
from services.imaging.box import whole_image
from services.imaging.decode import decode_container
from services.imaging.header import header_of, open_container

_WHITE = (255, 255, 255)
# A JPEG may be decoded smaller as long as the smallest crop keeps this many times the input's resolution;
# from there on the antialiased resize gives the same picture.
_SPARE_RESOLUTION = 2.0


@dataclass(frozen=True)
class Crop:
    """One crop, ready for the network.

    Attributes:
        pixels: (3, S, S) uint8.
        box: what was asked for, clipped to the image, in pixels of the upright photo.
        contrast: standard deviation of the luminance within the box, over 255.
    """

    pixels: Tensor
    box: Box
    contrast: float


@dataclass(frozen=True)
class PreparedImage:
    """The crops of one image and its upright size in pixels."""

    crops: tuple[Crop, ...]
    width_px: int
    height_px: int


class BoxOfImageRefused(ValueError):
    """A box was refused; `index` says which, `__cause__` is the `BoxRefused`."""

    def __init__(self, index: int) -> None:
        super().__init__(f"boxes[{index}]")
        self.index = index


def prepare_image(
    data: bytes,
    boxes: Sequence[Box],
    preprocessing: Preprocessing,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> PreparedImage:
    """Decode an image file and cut out each box, or the whole image when there is none.

    Boxes are judged before a pixel is decoded.

    Raises:
        ImageRefused: the file is refused.
        BoxOfImageRefused: a box is.
    """
    container = open_container(data, limits)
    header = header_of(container)
    inside = [_clip(index, box, header.width_px, header.height_px) for index, box in enumerate(boxes)]
    whole = whole_image(header.width_px, header.height_px)
    image = decode_container(container, enough_px=_enough(whole, inside, preprocessing.input_size_px))
    x_factor, y_factor = image.width / header.width_px, image.height / header.height_px
    crops = []
    for box in inside or [whole]:
        pixels = crop_to_tensor(image, box.scaled(x_factor, y_factor) if inside else None, preprocessing)
        crops.append(Crop(pixels, box, _contrast(pixels, box, preprocessing, padded=bool(inside))))
    return PreparedImage(tuple(crops), header.width_px, header.height_px)


def crop_to_tensor(image: Image.Image, box: Box | None, preprocessing: Preprocessing) -> Tensor:
    """Cut `box` with its padding out of an RGB image: -> (3, S, S) uint8.

    Args:
        image: upright, mode RGB.
        box: in pixels of `image`; None means the whole image, without padding.
        preprocessing: input size and padding.
    """
    side_px = preprocessing.input_size_px
    grown = pad_box(box, preprocessing.padding_px) if box else whole_image(*image.size)
    width_px, height_px = content_size(grown, preprocessing)
    x_min, x_max = max(grown.x_min, 0.0), min(grown.x_max, float(image.width))
    y_min, y_max = max(grown.y_min, 0.0), min(grown.y_max, float(image.height))
    left, right = _place(x_min - grown.x_min, x_max - grown.x_min, width_px / grown.width)
    top, bottom = _place(y_min - grown.y_min, y_max - grown.y_min, height_px / grown.height)
    resized = image.resize(
        (right - left, bottom - top),
        Image.Resampling.BILINEAR,  # antialiased, as Pillow does when it shrinks
        box=(x_min, y_min, x_max, y_max),
        reducing_gap=3.0,
    )
    square = np.full((side_px, side_px, 3), 255, np.uint8)
    left += (side_px - width_px) // 2
    top += (side_px - height_px) // 2
    square[top : top + resized.height, left : left + resized.width] = np.asarray(resized)
    return torch.from_numpy(square.transpose(2, 0, 1).copy())


def content_size(box: Box, preprocessing: Preprocessing) -> tuple[int, int]:
    """Width and height in pixels that `box` fills of the square input; the rest is white."""
    side_px = preprocessing.input_size_px
    aspect = (box.width / box.height) ** preprocessing.kept_aspect
    if aspect >= 1:
        return side_px, max(round(side_px / aspect), 1)
    return max(round(side_px * aspect), 1), side_px


def pad_box(box: Box, padding_px: int) -> Box:
    """Grow `box` so that it fills FRAME_PX - 2 x padding_px of a FRAME_PX square (Bell & Bala 2015, 4.3)."""
    share = padding_px / (FRAME_PX - 2 * padding_px)
    dx, dy = box.width * share, box.height * share
    return Box(box.x_min - dx, box.y_min - dy, box.x_max + dx, box.y_max + dy)


def _place(start: float, end: float, scale: float) -> tuple[int, int]:
    """Where a stretch of the grown box lies in the input, in whole pixels, at least one."""
    first = round(start * scale)
    return first, max(round(end * scale), first + 1)


def _clip(index: int, box: Box, width_px: int, height_px: int) -> Box:
    try:
        return box.clipped(width_px, height_px)
    except ValueError as error:
        raise BoxOfImageRefused(index) from error


def _enough(whole: Box, boxes: Sequence[Box], input_size_px: int) -> tuple[int, int]:
    """The size of the whole image at which the smallest crop still has resolution to spare."""
    wanted_px = _SPARE_RESOLUTION * input_size_px
    factor = max(wanted_px / min(box.width, box.height) for box in boxes or [whole])
    return math.ceil(whole.width * min(factor, 1.0)), math.ceil(whole.height * min(factor, 1.0))


def _contrast(pixels: Tensor, box: Box, preprocessing: Preprocessing, *, padded: bool) -> float:
    """Standard deviation of the luminance (ITU-R 601) of what shows `box` in a crop, over 255."""
    side_px = preprocessing.input_size_px
    share = (1 - 2 * preprocessing.padding_px / FRAME_PX) if padded else 1.0
    # One pixel less on each side of a padded box: its edge is blended with what surrounds it.
    edge_px = 2 if padded else 0
    width_px, height_px = (max(int(share * size) - edge_px, 1) for size in content_size(box, preprocessing))
    left, top = (side_px - width_px) // 2, (side_px - height_px) // 2
    # Every second pixel of every second row tells as much at a quarter of the cost.
    inner = pixels[:, top : top + height_px : 2, left : left + width_px : 2].numpy()
    red, green, blue = inner.astype(np.float32)
    return float((0.299 * red + 0.587 * green + 0.114 * blue).std() / 255.0)
