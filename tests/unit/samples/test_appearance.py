import numpy as np
import pytest
from PIL import Image

from samples.render.appearance import measure_appearance, name_colour, on_white
from samples.render.products import ProductFacts


def shot(rgb: tuple[int, int, int], size: int = 100) -> Image.Image:
    """A square of one colour in the middle of a transparent picture."""
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    image.paste((*rgb, 255), (10, 10, 90, 90))
    return image


def is_sound(rgb: tuple[int, int, int]) -> bool:
    return ProductFacts("x", measure_appearance(shot(rgb)), ()).sound


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((235, 235, 233), "white"),
        ((25, 25, 25), "black"),
        ((190, 30, 35), "red"),
        ((60, 110, 50), "green"),
        ((50, 80, 160), "blue"),
        ((105, 70, 45), "brown"),
        ((128, 128, 128), "grey"),
    ],
)
def test_colours_get_everyday_names(rgb: tuple[int, int, int], name: str) -> None:
    assert name_colour(np.full((50, 3), rgb, np.float32) / np.float32(255)) == name


def test_a_missing_texture_is_noticed() -> None:
    assert not is_sound((255, 0, 255))


def test_white_on_white_and_black_are_noticed() -> None:
    assert not is_sound((253, 253, 253))
    assert not is_sound((3, 3, 3))
    assert is_sound((200, 190, 180))


def test_an_empty_picture_is_noticed() -> None:
    empty = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    assert not ProductFacts("x", measure_appearance(empty), ()).sound


def test_the_background_is_white_and_the_shadow_soft() -> None:
    image = shot((200, 10, 10))
    image.putpixel((5, 5), (0, 0, 0, 100))
    flat = on_white(image)
    assert flat.getpixel((0, 0)) == (255, 255, 255)
    assert flat.getpixel((50, 50)) == (200, 10, 10)
    shadow = flat.getpixel((5, 5))
    assert isinstance(shadow, tuple)
    assert 155 < shadow[0] < 255
