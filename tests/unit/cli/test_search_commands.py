"""What is asked of the service when options are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from cli.search_commands import fetch_pages, parse_attributes, parse_box, parse_query
from cli.terminal import CommandFailed
from services.imaging import Box, ImageRefused
from services.search.client import (
    PhotoQuery,
    Product,
    ProductHit,
    ProductQuery,
    ProductResults,
    RegionQuery,
    SearchTiming,
)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "room.png"
    Image.new("RGB", (100, 80)).save(path)
    return path


def test_photo_and_box_become_a_photo_query(photo: Path) -> None:
    assert parse_query(photo, "10,20,50.5,60", None, None) == PhotoQuery(
        photo.read_bytes(), Box(10, 20, 50.5, 60)
    )
    assert parse_query(photo, None, None, None) == PhotoQuery(photo.read_bytes())


def test_ids_become_queries_by_id() -> None:
    assert parse_query(None, None, "P-1", None) == ProductQuery("P-1")
    assert parse_query(None, None, None, "R-1") == RegionQuery("R-1")


@pytest.mark.parametrize("box", ["", "1,2,3", "a,b,c,d", "1,2,3,4,5"])
def test_box_of_other_than_four_numbers_is_refused(box: str) -> None:
    with pytest.raises(CommandFailed, match="four numbers"):
        parse_box(box)


@pytest.mark.parametrize(
    ("box", "says"),
    [("50,20,10,60", "reversed"), ("200,0,300,50", "outside"), ("0,0,4,50", "8"), ("nan,0,9,9", "finite")],
)
def test_useless_box_is_refused_before_anything_is_sent(photo: Path, box: str, says: str) -> None:
    with pytest.raises(CommandFailed, match=says):
        parse_query(photo, box, None, None)


def test_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (fake := tmp_path / "fake.jpg").write_text("hello")
    with pytest.raises(ImageRefused):
        parse_query(fake, None, None, None)


def test_attribute_values_of_one_name_are_alternatives() -> None:
    assert parse_attributes(["color=red", "color=blue", "size=a=b"]) == {
        "color": ["red", "blue"],
        "size": ["a=b"],
    }
    for wrong in ("color", "=red", "color="):
        with pytest.raises(CommandFailed, match="NAME=VALUE"):
            parse_attributes([wrong])


def test_pages_are_fetched_until_there_are_enough_or_no_more() -> None:
    asked: list[tuple[int, str]] = []

    def fetch(page_size: int, page_token: str) -> ProductResults:
        asked.append((page_size, page_token))
        hits = (ProductHit(Product("P"), 0.5, ""),) * page_size
        token = str(len(asked)) if len(asked) < 3 else ""
        return ProductResults(hits, token, False, "", None, SearchTiming())

    assert sum(len(page.hits) for page in fetch_pages(fetch, 150)) == 150
    assert asked == [(100, ""), (50, "1")]
    asked.clear()
    assert sum(len(page.hits) for page in fetch_pages(fetch, 1000)) == 300
    assert [token for _, token in asked] == ["", "1", "2"]
