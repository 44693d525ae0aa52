"""JPEGs for others to see."""

from io import BytesIO

import pytest
from PIL import Image

from services.imaging import encode_jpeg
from tests.battery_images import photo


@pytest.mark.parametrize(("max_side_px", "size"), [(None, (320, 240)), (160, (160, 120)), (1000, (320, 240))])
def test_long_side_is_bounded_and_never_enlarged(max_side_px: int | None, size: tuple[int, int]) -> None:
    with Image.open(BytesIO(encode_jpeg(photo(), max_side_px=max_side_px))) as image:
        assert image.size == size


def test_profiles_and_comments_are_left_out_and_the_callers_image_is_untouched() -> None:
    image = photo()
    image.info |= {"comment": b"secret", "icc_profile": b"secret", "exif": b"secret"}
    assert b"secret" not in encode_jpeg(image, max_side_px=100)
    assert image.size == (320, 240)
    assert image.info


def test_alpha_and_grey_are_written_as_rgb() -> None:
    with Image.open(BytesIO(encode_jpeg(photo().convert("RGBA")))) as image:
        assert image.mode == "RGB"
