from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from services.imaging import DEFAULT_LIMITS, Box, ImageRefused
from tests.battery_images import encode, exif, jpeg, photo, quadrants, stored_turned
from ui.photo import photo_from_upload, read_upload, shown_name


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=["JPEG"])


def test_a_turned_photo_counts_in_upright_pixels() -> None:
    data = encode(stored_turned(quadrants(80, 48), 6), exif=exif(6))

    turned = photo_from_upload(data, "x.jpg", DEFAULT_LIMITS)

    assert (turned.width_px, turned.height_px) == (80, 48)
    red, green = opened(turned.shown_jpeg).getpixel((20, 12)), opened(turned.shown_jpeg).getpixel((60, 12))
    assert isinstance(red, tuple)
    assert isinstance(green, tuple)
    assert red[0] > 200 > 100 > red[1]
    assert green[1] > 100 > green[0]


def test_a_large_photo_is_reduced_but_boxes_stay_in_full_size_pixels() -> None:
    large = photo_from_upload(jpeg(6000, 4000), "x.jpg", DEFAULT_LIMITS)

    assert (large.width_px, large.height_px) == (6000, 4000)
    assert max(opened(large.shown_jpeg).size) == 1600
    assert opened(large.query.jpeg).size == (large.query.width_px, large.query.height_px) == (3072, 2048)
    box = large.query_box(Box(600, 400, 3000, 2000))
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx((307.2, 204.8, 1536, 1024))


def test_a_small_photo_is_not_enlarged() -> None:
    small = photo_from_upload(jpeg(320, 240), "x.jpg", DEFAULT_LIMITS)

    assert opened(small.shown_jpeg).size == opened(small.query.jpeg).size == (320, 240)


def test_what_is_kept_of_a_photo_has_no_metadata() -> None:
    data = encode(photo(), exif=exif(1, gps=True), comment=b"taken by Ann")

    kept = photo_from_upload(data, "x.jpg", DEFAULT_LIMITS)

    for written in (kept.shown_jpeg, kept.query.jpeg):
        assert b"Exif" not in written
        assert b"Ann" not in written
        assert len(opened(written).getexif()) == 0


def test_a_photo_does_not_print_its_bytes() -> None:
    kept = photo_from_upload(jpeg(), "x.jpg", DEFAULT_LIMITS)

    assert len(repr(kept)) < 200


def test_an_upload_is_deleted_once_read(tmp_path: Path) -> None:
    file = tmp_path / "a" / "photo.jpg"
    file.parent.mkdir()
    file.write_bytes(b"bytes")

    assert read_upload(str(file), tmp_path, 1000) == b"bytes"
    assert not file.exists()


def test_an_upload_over_the_limit_is_deleted_and_refused(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"x" * 2_000_001)

    with pytest.raises(ImageRefused, match="larger than 2 MB"):
        read_upload(str(file), tmp_path, 2_000_000)
    assert not file.exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "http://127.0.0.1/", "", "a\0b", "x" * 5000, "../secret"])
def test_a_path_outside_the_uploads_is_refused_in_one_sentence(path: str, tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")

    with pytest.raises(ImageRefused) as refused:
        read_upload(path, uploads, 1000)

    assert refused.value.reason == "UPLOAD_GONE"
    assert "/" not in refused.value.message
    assert (tmp_path / "secret").exists()


def test_a_link_out_of_the_uploads_is_not_followed(tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    uploads.mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (uploads / "link").symlink_to(tmp_path / "secret")

    with pytest.raises(ImageRefused):
        read_upload(str(uploads / "link"), uploads, 1000)
    assert (tmp_path / "secret").exists()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("room.jpg", "room.jpg"),
        ("../../etc/room.jpg", "room.jpg"),
        ("C:\\Users\\Ann\\room.jpg", "room.jpg"),
        ("\u202egpj.moor", "gpj.moor"),
        ("a\x00b\n.jpg", "ab.jpg"),
        ("", "photo"),
        ("..", ".."),
    ],
)
def test_a_file_name_is_shown_as_its_base_name_without_control_characters(name: str, shown: str) -> None:
    assert shown_name(name) == shown


def test_a_long_file_name_is_shortened() -> None:
    assert len(shown_name("x" * 300)) == 80
