"""Results as one picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageFont

from cli.contact_sheet import GAP_PX, TEXT_PX, TILE_PX, draw_box, fitted, save_sheet
from cli.terminal import CommandFailed
from services.imaging import Box


def test_tiles_fill_rows_of_five(tmp_path: Path) -> None:
    tiles = [(Image.new("RGB", (600, 300), "blue"), f"Title {n} " * 10, "0.9") for n in range(7)]
    for name in ("sheet.jpg", "sheet.png", "sheet.webp"):
        save_sheet(tmp_path / name, tiles)
        with Image.open(tmp_path / name) as sheet:
            assert sheet.size == (
                5 * (TILE_PX + GAP_PX) + GAP_PX,
                2 * (TILE_PX + TEXT_PX + GAP_PX) + GAP_PX,
            )
            center = sheet.convert("RGB").getpixel((GAP_PX + TILE_PX // 2, GAP_PX + TILE_PX // 2))
            assert isinstance(center, tuple)
            assert center[2] > 200
            assert center[0] < 60


def test_other_suffix_and_no_result_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match=r"\.jpg"):
        save_sheet(tmp_path / "sheet.gif", [(Image.new("RGB", (9, 9)), "", "")])
    with pytest.raises(CommandFailed, match="no result"):
        save_sheet(tmp_path / "sheet.jpg", [])


def test_box_is_drawn_on_its_own_pixels() -> None:
    picture = Image.new("RGB", (100, 100), "white")
    draw_box(picture, Box(10, 20, 50, 60))
    assert picture.getpixel((10, 20)) == picture.getpixel((49, 59)) == (214, 40, 40)
    assert picture.getpixel((9, 20)) == picture.getpixel((50, 59)) == (255, 255, 255)


def test_long_text_is_shortened_to_its_width() -> None:
    font = ImageFont.load_default(size=15)
    short = fitted("word " * 50, font, TILE_PX)
    assert short.endswith("...")
    assert font.getlength(short) <= TILE_PX
    assert fitted("short", font, TILE_PX) == "short"
