"""Lines 1 to 50 of the battery of bad inputs, at the decoder."""

import contextlib
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from services.imaging import DEFAULT_LIMITS, ImageLimits, ImageRefused, decode_image, encode_jpeg, read_header
from tests import battery_images as battery


def refusal(data: bytes) -> ImageRefused:
    with pytest.raises(ImageRefused) as caught:
        decode_image(data)
    return caught.value


def test_empty_file_is_refused() -> None:
    assert refusal(b"").reason == "EMPTY"


@pytest.mark.parametrize("name", battery.NOT_IMAGES)
def test_what_is_no_image_is_refused(name: str) -> None:
    assert refusal(battery.NOT_IMAGES[name]).reason == "NOT_AN_IMAGE"


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("percent", [10, 50, 90, 99.9])
def test_truncated_file_is_corrupt(format_name: str, percent: float) -> None:
    whole = battery.encode(battery.photo(), format_name)
    assert refusal(whole[: int(len(whole) * percent / 100)]).reason == "CORRUPT"


def test_truncated_progressive_jpeg_is_corrupt() -> None:
    whole = battery.jpeg(progressive=True)
    assert refusal(whole[: len(whole) * 9 // 10]).reason == "CORRUPT"


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_flipped_bytes_are_corrupt_or_decoded_never_a_crash(format_name: str) -> None:
    whole = battery.encode(battery.photo(96, 64), format_name)
    rng = np.random.default_rng(3)
    for _ in range(150):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 4):
            damaged[position] ^= int(rng.integers(1, 256))
        with contextlib.suppress(ImageRefused):
            assert decode_image(bytes(damaged)).mode == "RGB"


@pytest.mark.parametrize("kind", [b"IHDR", b"IDAT", b"IEND"])
def test_png_with_a_bad_checksum_is_corrupt(kind: bytes) -> None:
    whole = bytearray(battery.encode(battery.photo(32, 32), "PNG"))
    at = whole.find(kind)
    length = int.from_bytes(whole[at - 4 : at], "big")
    whole[at + 4 + length] ^= 0xFF
    assert refusal(bytes(whole)).reason == "CORRUPT"


def test_appended_zip_is_dropped() -> None:
    plain = battery.jpeg()
    assert decode_image(battery.with_appended_zip(plain)).tobytes() == decode_image(plain).tobytes()


@pytest.mark.parametrize(("side_px", "payload_bytes"), [(30_000, 18_000_000), (6_000, 3_500_000)])
def test_png_bomb_is_refused_from_its_header(side_px: int, payload_bytes: int) -> None:
    bomb = battery.png_with_size(side_px, side_px, payload_bytes)
    started = time.thread_time()
    assert refusal(bomb).reason == "TOO_MANY_PIXELS"
    assert time.thread_time() - started < 0.05


def test_48_megapixel_jpeg_is_refused() -> None:
    data = bytearray(battery.jpeg(64, 64))
    at = data.find(b"\xff\xc0")
    data[at + 5 : at + 9] = (6000).to_bytes(2, "big") + (8000).to_bytes(2, "big")
    assert refusal(bytes(data)).reason == "TOO_MANY_PIXELS"


def test_35_megapixel_phone_jpeg_is_accepted_within_a_second() -> None:
    data = battery.big_jpeg(6830, 5120)
    started = time.thread_time()
    image = decode_image(data, enough_px=(800, 600))
    assert time.thread_time() - started < 1.0
    assert image.width >= 800
    assert image.height >= 600
    header = read_header(data)
    assert (header.width_px, header.height_px) == (6830, 5120)


def test_file_over_the_byte_limit_is_too_big() -> None:
    assert refusal(b"\xff\xd8\xff" + bytes(DEFAULT_LIMITS.max_bytes)).reason == "TOO_BIG"


@pytest.mark.parametrize(("width_px", "height_px"), [(1, 1), (7, 100), (100, 7)])
def test_tiny_image_is_too_small(width_px: int, height_px: int) -> None:
    assert refusal(battery.encode(Image.new("RGB", (width_px, height_px)), "PNG")).reason == "TOO_SMALL"


@pytest.mark.parametrize(("size", "refused"), [((400, 10), False), ((401, 10), True), ((10, 401), True)])
def test_aspect_over_one_to_forty_is_a_bad_shape(size: tuple[int, int], *, refused: bool) -> None:
    data = battery.encode(Image.new("RGB", size), "PNG")
    if refused:
        assert refusal(data).reason == "BAD_SHAPE"
    else:
        assert decode_image(data).size == size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_makes_the_image_upright(orientation: int, format_name: str) -> None:
    upright = battery.quadrants()
    options: dict[str, object] = {"exif": battery.exif(orientation)}
    options |= {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {"lossless": True}
    data = battery.encode(battery.stored_turned(upright, orientation), format_name, **options)
    header = read_header(data)
    assert (header.width_px, header.height_px) == upright.size
    difference = np.abs(np.asarray(decode_image(data), np.int16) - np.asarray(upright, np.int16))
    assert difference.mean() < 3


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_out_of_range_counts_as_upright(orientation: int) -> None:
    data = battery.jpeg(exif=battery.exif(orientation))
    assert decode_image(data).size == (320, 240)


@pytest.mark.parametrize(
    "junk", [b"Exif\x00\x00", b"Exif\x00\x00" + b"\xff" * 500, b"Exif\x00\x00II*\x00\xff\xff\xff\x7f"]
)
def test_junk_exif_is_accepted_as_is(junk: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_image(battery.jpeg(exif=junk)).size == (320, 240)


@pytest.mark.parametrize("mode", ["CMYK", "L"])
def test_jpeg_colour_spaces_become_rgb(mode: str) -> None:
    source = battery.photo()
    image = decode_image(battery.encode(source.convert(mode), "JPEG", quality=95))
    expected = np.asarray(source.convert(mode).convert("RGB"), np.int16)
    assert image.mode == "RGB"
    assert np.abs(np.asarray(image, np.int16) - expected).mean() < 6


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(mode: str) -> None:
    picture = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 10, 20))
    image = decode_image(battery.encode(picture.convert(mode), "PNG"))
    assert image.getpixel((2, 10)) == (0, 0, 0)
    assert image.getpixel((17, 10)) == (255, 255, 255)


def test_palette_with_alpha_becomes_white_where_transparent() -> None:
    picture = Image.new("P", (20, 20), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.paste(1, (10, 0, 20, 20))
    image = decode_image(battery.encode(picture, "PNG", transparency=0))
    assert image.getpixel((2, 10)) == (255, 255, 255)
    assert image.getpixel((17, 10)) == (200, 100, 50)


def test_one_bit_becomes_black_and_white() -> None:
    picture = Image.new("1", (20, 20), 0)
    picture.paste(1, (10, 0, 20, 20))
    image = decode_image(battery.encode(picture, "PNG"))
    assert [image.getpixel((x, 10)) for x in (2, 17)] == [(0, 0, 0), (255, 255, 255)]


def test_sixteen_bit_grey_keeps_its_gradient() -> None:
    image = decode_image(battery.encode(battery.grey16_ramp(), "PNG"))
    grey = np.asarray(image)[0, :, 0]
    assert np.allclose(grey, np.linspace(0, 255, 64), atol=1.5)


def test_sixteen_bit_colour_keeps_its_high_byte() -> None:
    image = decode_image(battery.rgb16_png((0x8012, 0x40FF, 0xFF00)))
    assert image.getpixel((3, 3)) == (0x80, 0x40, 0xFF)


def test_progressive_jpeg_is_accepted() -> None:
    assert decode_image(battery.jpeg(progressive=True)).size == (320, 240)


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
def test_junk_colour_profile_is_accepted(format_name: str) -> None:
    data = battery.encode(battery.photo(), format_name, icc_profile=b"not a profile" * 30)
    assert decode_image(data).size == (320, 240)


@pytest.mark.parametrize("format_name", ["WEBP", "PNG"])
def test_animation_gives_its_first_frame(format_name: str) -> None:
    image = decode_image(battery.animation(format_name))
    assert image.getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize("name", ["GIF", "AVIF", "HEIC", "TIFF", "JPEG 2000", "BMP", "ICO", "SVG", "EPS"])
def test_other_formats_are_refused_naming_the_accepted_ones(name: str) -> None:
    refused = refusal(battery.unsupported_files()[name])
    assert refused.reason == "UNSUPPORTED_FORMAT"
    assert name in refused.message
    assert "JPEG, PNG or WebP" in refused.message


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt"])
def test_20000_png_text_chunks_are_accepted_fast(kind: bytes) -> None:
    chunk = battery.png_chunk(kind, b"Comment\x00" + b"some words " * 10)
    data = battery.insert_png_chunks(battery.encode(battery.photo(), "PNG"), chunk * 20_000)
    started = time.thread_time()
    assert decode_image(data).size == (320, 240)
    assert time.thread_time() - started < 0.2


def test_all_white_photo_is_accepted() -> None:
    white = Image.new("RGB", (64, 64), "white")
    assert decode_image(battery.encode(white)).getpixel((5, 5)) == (255, 255, 255)


def test_gps_position_survives_neither_decoding_nor_encoding() -> None:
    data = battery.jpeg(exif=battery.exif(1, gps=True), comment=b"secret-comment")
    image = decode_image(data)
    assert not image.info
    assert not image.getexif()
    encoded = encode_jpeg(image)
    assert b"Exif" not in encoded
    assert b"secret" not in encoded


def test_jpeg_of_a_thousand_scans_is_refused_before_decoding() -> None:
    assert decode_image(battery.many_scans_jpeg(3)).size == (64, 64)
    started = time.thread_time()
    assert refusal(battery.many_scans_jpeg(1000)).reason == "CORRUPT"
    assert time.thread_time() - started < 0.1


def test_limits_are_the_callers() -> None:
    with pytest.raises(ImageRefused) as caught:
        read_header(battery.jpeg(320, 240), ImageLimits(max_jpeg_pixels=320 * 240 - 1))
    assert caught.value.reason == "TOO_MANY_PIXELS"


def test_refusals_name_no_path_and_no_decoder() -> None:
    whole = battery.jpeg()
    refused = refusal(whole[:2000])
    assert "Pillow" not in refused.message
    assert "/" not in refused.message
