import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samples.render.truth import MIN_SIDE_PX, box_of, regions_of
from tests.unit.samples.furniture import CATALOG

MASKS = Path(__file__).with_name("masks")


def test_a_box_is_tight_and_its_maximum_exclusive() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[10:50, 20:61] = 3
    assert box_of(mask, 3) == (20, 10, 61, 50)
    assert box_of(mask, 4) is None


def test_visible_is_the_share_of_the_whole_area() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[0:40, 0:50] = 1
    (region,) = regions_of(mask, ["chair"], {1: 4000.0})
    assert (region.product_id, region.visible) == ("chair", 0.5)


def test_small_and_mostly_hidden_things_are_left_out() -> None:
    mask = np.zeros((100, 100), np.uint8)
    mask[0 : MIN_SIDE_PX - 1, 0:50] = 1
    mask[50:90, 0:40] = 2
    mask[50:90, 50:90] = 3
    regions = regions_of(mask, ["small", "hidden", "kept"], {1: 1550.0, 2: 1600 * 4.1, 3: 1600.0})
    assert [r.product_id for r in regions] == ["kept"]


@pytest.mark.parametrize("mask_path", sorted(MASKS.glob("*.png")), ids=lambda p: p.stem)
def test_bundled_boxes_are_exactly_those_of_the_renderers_mask(mask_path: Path) -> None:
    with Image.open(mask_path) as image:
        mask = np.asarray(image.convert("L"), dtype=np.uint8)
    product_ids: list[str] = json.loads(mask_path.with_suffix(".json").read_text())
    expected = {(product_ids[n - 1], box_of(mask, n)) for n in np.unique(mask).tolist() if n}
    with (CATALOG / "regions.csv").open(encoding="utf-8", newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["scene_id"] == mask_path.stem]
    found = {(r["product_id"], tuple(int(r[c]) for c in ("x_min", "y_min", "x_max", "y_max"))) for r in rows}
    assert len(found) >= 6
    assert found <= expected
    with Image.open(CATALOG / "scenes" / f"{mask_path.stem}.jpg") as picture:
        assert picture.size == (mask.shape[1], mask.shape[0])


def test_masks_are_bundled() -> None:
    assert len(list(MASKS.glob("*.png"))) >= 2
