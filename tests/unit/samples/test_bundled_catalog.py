"""What is in the repository holds together, and stays small."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samples.render.catalog import PRODUCT_COLUMNS, REGION_COLUMNS, SCENE_COLUMNS
from tests.unit.samples.furniture import CATALOG

ATTRIBUTION = CATALOG.parent / "ATTRIBUTION"
BUDGET_BYTES = 12_000_000
Row = dict[str, str]


def table(name: str, columns: tuple[str, ...]) -> list[Row]:
    with (CATALOG / name).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == columns
        return list(reader)


@pytest.fixture(scope="module")
def products() -> list[Row]:
    return table("products.csv", PRODUCT_COLUMNS)


@pytest.fixture(scope="module")
def scenes() -> list[Row]:
    return table("scenes.csv", SCENE_COLUMNS)


@pytest.fixture(scope="module")
def regions() -> list[Row]:
    return table("regions.csv", REGION_COLUMNS)


def test_there_is_enough_to_search(products: list[Row], scenes: list[Row]) -> None:
    assert len(products) >= 280
    assert len({p["category"] for p in products}) >= 20
    assert len(scenes) >= 16


def test_ids_are_unique(products: list[Row], scenes: list[Row]) -> None:
    assert len({p["product_id"] for p in products}) == len(products)
    assert len({s["scene_id"] for s in scenes}) == len(scenes)


def test_products_are_described(products: list[Row]) -> None:
    for row in products:
        assert all(row[c] for c in PRODUCT_COLUMNS), row["product_id"]
        assert float(row["price"]) > 0
        assert re.match(r"https?://", row["url"])


def test_every_picture_can_be_read_and_none_is_left_over(products: list[Row], scenes: list[Row]) -> None:
    named = {CATALOG / row["image"] for row in [*products, *scenes]}
    assert named == set(CATALOG.rglob("*.jpg"))
    for path in named:
        with Image.open(path) as image:
            image.draft("RGB", (64, 64))
            values = np.asarray(image.convert("L"))
        assert values.max() - values.min() > 25, path.name


def test_boxes_are_inside_their_pictures_and_name_products(
    products: list[Row], scenes: list[Row], regions: list[Row]
) -> None:
    known = {p["product_id"] for p in products}
    sizes = {}
    for scene in scenes:
        with Image.open(CATALOG / scene["image"]) as image:
            sizes[scene["scene_id"]] = image.size
    for row in regions:
        width, height = sizes[row["scene_id"]]
        x_min, y_min, x_max, y_max = (int(row[c]) for c in ("x_min", "y_min", "x_max", "y_max"))
        assert row["product_id"] in known
        assert 0 <= x_min <= x_max - 32
        assert 0 <= y_min <= y_max - 32
        assert x_max <= width
        assert y_max <= height
        assert 0.25 <= float(row["visible"]) <= 1


def test_every_room_shows_at_least_six_products(scenes: list[Row], regions: list[Row]) -> None:
    for scene in scenes:
        seen = {r["product_id"] for r in regions if r["scene_id"] == scene["scene_id"]}
        assert len(seen) >= 6, scene["scene_id"]


def test_every_model_is_attributed_under_a_free_licence(products: list[Row]) -> None:
    lines = ATTRIBUTION.read_text(encoding="utf-8").splitlines()
    stated = {line.split(" | ")[0]: line.split(" | ") for line in lines if line.count(" | ") == 5}
    for row in products:
        _, _, author, licence, library, source = stated[row["product_id"]]
        assert author == row["author"]
        assert licence == row["license"]
        assert licence in ("CC0-1.0", "CC-BY-3.0", "CC-BY-3.0-US")
        assert any(line.startswith(f"{licence} https://creativecommons.org/") for line in lines)
        assert library
        assert source == row["url"]


def test_the_catalogue_stays_small() -> None:
    assert sum(f.stat().st_size for f in Path(CATALOG).rglob("*") if f.is_file()) < BUDGET_BYTES
