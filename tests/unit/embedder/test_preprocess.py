"""The crop, against a naive one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from services.embedder.model_info import Preprocessing
from services.embedder.preprocess import (
    BoxOfImageRefused,
    content_size,
    crop_to_tensor,
    pad_box,
    prepare_image,
)
from services.imaging import Box, BoxRefused, decode_image
from tests import battery_images as battery

STRETCH = Preprocessing(input_size_px=32, padding_px=16, kept_aspect=0.0)
DEFAULT = Preprocessing(input_size_px=32, padding_px=16)


def gradient(width_px: int = 200, height_px: int = 160) -> Image.Image:
    """Red grows to the right, green downwards: a pixel tells where it came from."""
    x = np.linspace(0, 250, width_px)[None].repeat(height_px, 0)
    y = np.linspace(0, 250, height_px)[:, None].repeat(width_px, 1)
    return Image.fromarray(np.stack([x, y, np.zeros_like(x)], -1).astype(np.uint8))


def naive_crop(image: Image.Image, box: Box, preprocessing: Preprocessing) -> np.ndarray:
    """Sample the crop point by point, straight from its definition: -> (S, S, 3)."""
    side = preprocessing.input_size_px
    source = np.asarray(image, np.float64)
    height, width = source.shape[:2]
    share = 256 / (256 - 2 * preprocessing.padding_px)
    centre_x, centre_y = (box.x_min + box.x_max) / 2, (box.y_min + box.y_max) / 2
    aspect = (box.width / box.height) ** preprocessing.kept_aspect
    fill_w, fill_h = (1.0, 1 / aspect) if aspect >= 1 else (aspect, 1.0)
    out = np.full((side, side, 3), 255.0)
    for row in range(side):
        for column in range(side):
            u = ((column + 0.5) / side - 0.5) / fill_w
            v = ((row + 0.5) / side - 0.5) / fill_h
            if abs(u) >= 0.5 or abs(v) >= 0.5:
                continue
            x = centre_x + u * box.width * share
            y = centre_y + v * box.height * share
            if 0 <= x < width and 0 <= y < height:
                out[row, column] = source[int(y), int(x)]
    return out


@pytest.mark.parametrize("kept_aspect", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("padding_px", [0, 16, 64])
@pytest.mark.parametrize(
    "box",
    [
        Box(60, 40, 140, 120),
        Box(20, 60, 180, 100),
        Box(80, 20, 110, 140),
        Box(0, 0, 60, 60),
        Box(150, 90, 200, 160),
    ],
)
def test_crop_is_what_a_naive_reference_samples(kept_aspect: float, padding_px: int, box: Box) -> None:
    preprocessing = Preprocessing(input_size_px=32, padding_px=padding_px, kept_aspect=kept_aspect)
    image = gradient()
    crop = crop_to_tensor(image, box, preprocessing).numpy().transpose(1, 2, 0).astype(np.float64)
    difference = np.abs(crop - naive_crop(image, box, preprocessing)).max(axis=2)
    # Pixels at an edge between photo and white may fall on either side.
    assert np.median(difference) < 5
    assert (difference > 12).mean() < 0.16


def test_padding_16_leaves_the_box_224_of_256() -> None:
    padded = pad_box(Box(100, 100, 324, 212), 16)
    assert (padded.width, padded.height) == (256, 128)
    assert (padded.x_min + padded.x_max) / 2 == 212


def test_padding_scales_with_the_box() -> None:
    small, large = pad_box(Box(0, 0, 10, 10), 32), pad_box(Box(0, 0, 1000, 1000), 32)
    assert large.width == pytest.approx(100 * small.width)


@given(x=st.floats(-50, 150), y=st.floats(-50, 150), width=st.floats(8, 300), height=st.floats(8, 300))
def test_any_box_that_is_accepted_gives_a_full_square(
    x: float, y: float, width: float, height: float
) -> None:
    try:
        box = Box(x, y, x + width, y + height).clipped(200, 160)
    except BoxRefused:
        return
    crop = crop_to_tensor(gradient(), box, DEFAULT)
    assert crop.shape == (3, 32, 32)
    assert crop.dtype == torch.uint8


def test_colours_are_in_rgb_order() -> None:
    red = Image.new("RGB", (50, 50), (255, 0, 0))
    assert crop_to_tensor(red, None, DEFAULT)[:, 16, 16].tolist() == [255, 0, 0]


def test_what_lies_outside_the_photo_is_white() -> None:
    black = Image.new("RGB", (100, 100))
    crop = crop_to_tensor(black, Box(0, 0, 100, 100), STRETCH)
    assert crop[:, 0, 0].tolist() == [255, 255, 255]
    assert crop[:, 16, 16].tolist() == [0, 0, 0]


def test_whole_image_has_no_padding() -> None:
    black = Image.new("RGB", (100, 100))
    assert crop_to_tensor(black, None, DEFAULT).max() == 0


@pytest.mark.parametrize(("kept_aspect", "size"), [(0.0, (32, 32)), (0.5, (32, 16)), (1.0, (32, 8))])
def test_a_long_box_keeps_the_wanted_power_of_its_aspect(kept_aspect: float, size: tuple[int, int]) -> None:
    preprocessing = Preprocessing(input_size_px=32, kept_aspect=kept_aspect)
    assert content_size(Box(0, 0, 400, 100), preprocessing) == size
    assert content_size(Box(0, 0, 100, 400), preprocessing) == size[::-1]


def test_a_large_photo_decoded_smaller_gives_the_same_crops() -> None:
    picture = battery.photo(400, 300).resize((3200, 2400), Image.Resampling.BICUBIC)
    data = battery.encode(picture, "JPEG", quality=95)
    boxes = [Box(400, 300, 2800, 2300), Box(1000.5, 800.25, 3100, 2000)]
    prepared = prepare_image(data, boxes, STRETCH)
    full_size = decode_image(data)
    assert (prepared.width_px, prepared.height_px) == (3200, 2400)
    for crop, box in zip(prepared.crops, boxes, strict=True):
        expected = crop_to_tensor(full_size, box, STRETCH)
        assert crop.box == box
        assert (crop.pixels.float() - expected.float()).abs().mean() < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_in_pixels_of_the_upright_photo(orientation: int) -> None:
    upright = battery.quadrants(160, 96)
    stored = battery.stored_turned(upright, orientation)
    data = battery.encode(stored, "PNG", exif=battery.exif(orientation))
    prepared = prepare_image(data, [Box(8, 56, 72, 88)], Preprocessing(input_size_px=32, padding_px=0))
    assert prepared.crops[0].pixels[:, 16, 16].tolist() == [0, 0, 255]


def test_no_box_means_the_whole_image() -> None:
    prepared = prepare_image(battery.jpeg(320, 240), [], DEFAULT)
    assert [crop.box for crop in prepared.crops] == [Box(0, 0, 320, 240)]


def test_the_refused_box_is_named() -> None:
    with pytest.raises(BoxOfImageRefused) as caught:
        prepare_image(battery.jpeg(), [Box(0, 0, 50, 50), Box(50, 0, 10, 50)], DEFAULT)
    assert caught.value.index == 1


@pytest.mark.parametrize("preprocessing", [DEFAULT, STRETCH])
def test_contrast_is_zero_for_one_colour_and_a_half_for_black_and_white(preprocessing: Preprocessing) -> None:
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("black", (0, 0, 100, 100))
    data = battery.encode(picture, "PNG")
    boxes = [Box(0, 0, 90, 80), Box(20, 10, 180, 90)]
    flat, split = prepare_image(data, boxes, preprocessing).crops
    (whole,) = prepare_image(data, [], preprocessing).crops
    assert flat.contrast < 0.01
    assert math.isclose(split.contrast, 0.5, abs_tol=0.02)
    assert math.isclose(whole.contrast, 0.5, abs_tol=0.02)
