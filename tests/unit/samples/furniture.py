"""Items for layout tests: the bundled catalogue's own products, each with a level top."""

import csv
from pathlib import Path

from samples.render.geometry import Item
from samples.render.selection import SELECTION, product_id_of

CATALOG = Path(__file__).parents[3] / "samples" / "catalog"


def flat_item(
    product_id: str,
    width_m: float,
    depth_m: float,
    height_m: float,
    category: str = "Desks",
    name: str = "thing",
) -> Item:
    """An item whose whole top is level at its height."""
    grid = ((height_m * 100,) * 24,) * 24
    return Item(product_id, category, name, width_m, depth_m, height_m, 0.0, grid)


def catalog_items() -> list[Item]:
    """Every bundled product, by its stated size."""
    with SELECTION.open(encoding="utf-8", newline="") as file:
        names = {product_id_of(r["library"], r["model"]): r["name"] for r in csv.DictReader(file)}
    with (CATALOG / "products.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    items = []
    for row in rows:
        width, depth, height = (max(1.0, float(row[c])) / 100 for c in ("width_cm", "depth_cm", "height_cm"))
        items.append(
            flat_item(row["product_id"], width, depth, height, row["category"], names[row["product_id"]])
        )
    return items
