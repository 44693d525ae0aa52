"""Which models are products: `selection.csv`, kept by hand, and how each is photographed and placed."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from samples.render.library import Model, find_libraries, read_library

SELECTION = Path(__file__).with_name("selection.csv")

_PREFIX = {
    "Blend Swap CC-0": "bs0",
    "Blend Swap CC-BY": "bsby",
    "Kator Legaz catalog": "kator",
    "Scopia catalog": "scopia",
}


class SelectionError(ValueError):
    """A row names a model that no library has."""


@dataclass(frozen=True)
class Product:
    """A model sold as a product of the sample catalogue."""

    product_id: str
    category: str
    name: str
    material: str
    model: Model


def product_id_of(library: str, key: str) -> str:
    """A stable id such as `bsby-coffee-table`, from the library and the model's own key."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", key)
    return f"{_PREFIX[library]}-{re.sub(r'[^a-z0-9]+', '-', words.lower()).strip('-')}"


def read_models(folder: Path) -> dict[tuple[str, str], Model]:
    """(library name, model key) -> model, over every library of a folder."""
    models = (m for archive in find_libraries(folder) for m in read_library(archive))
    return {(m.library, m.key): m for m in models}


def select_products(models: Mapping[tuple[str, str], Model], limit: int | None = None) -> list[Product]:
    """The products of `selection.csv`; with a limit, taken evenly over its categories.

    Raises SelectionError for a row whose model is missing.
    """
    with SELECTION.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    products = []
    for row in rows:
        model = models.get((row["library"], row["model"]))
        if model is None:
            raise SelectionError(f"selection.csv: no model {row['model']!r} in {row['library']!r}")
        product_id = product_id_of(row["library"], row["model"])
        products.append(Product(product_id, row["category"], row["name"], row["material"], model))
    if limit is None or limit >= len(products):
        return products
    rank: dict[str, int] = {}
    turns = []
    for position, product in enumerate(products):
        rank[product.category] = rank.get(product.category, -1) + 1
        turns.append((rank[product.category], position))
    kept = sorted(position for _, position in sorted(turns)[:limit])
    return [products[position] for position in kept]
