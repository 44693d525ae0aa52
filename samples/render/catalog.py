"""Writes the catalogue folder: products.csv, scenes.csv, regions.csv, and the attribution."""

import csv
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samples.render.library import CC0
from samples.render.products import ProductFacts
from samples.render.selection import Product
from samples.render.truth import Region

PRODUCT_COLUMNS = (
    "product_id",
    "title",
    "category",
    "image",
    "price",
    "currency",
    "url",
    "color",
    "material",
    "width_cm",
    "depth_cm",
    "height_cm",
    "author",
    "license",
)
SCENE_COLUMNS = ("scene_id", "image", "title", "room")
REGION_COLUMNS = ("scene_id", "product_id", "x_min", "y_min", "x_max", "y_max", "visible")

_ONSETS: tuple[str, ...] = ("Al", "Bro", "Cas", "Dor", "El", "Fen", "Gal", "Hal", "Il", "Jun", "Kel", "Lor")
_ONSETS += ("Mar", "Nor", "Ol", "Per", "Quin", "Ros", "Sel", "Tor", "Ul", "Ver", "Wil", "Yar")
_ENDINGS: tuple[str, ...] = ("da", "den", "dra", "ra", "lin", "mo", "na", "nes", "ric", "so", "sa")
_ENDINGS += ("ta", "tis", "va", "wen", "wyn", "by", "do", "mere", "ley")
# Euros for a thing of one metre; prices are invented.
_PRICE_PER_M = {
    "Sofas": 420,
    "Corner sofas": 480,
    "Armchairs": 310,
    "Dining chairs": 95,
    "Office chairs": 170,
    "Stools and benches": 75,
    "Dining tables": 210,
    "Coffee tables": 140,
    "Desks": 190,
    "Beds": 260,
    "Children's furniture": 150,
    "Chests and bedside tables": 180,
    "Wardrobes": 260,
    "Bookcases and shelves": 130,
    "TV furniture": 190,
    "Table lamps": 85,
    "Floor lamps": 90,
    "Ceiling lamps": 130,
    "Wall lamps": 110,
    "Plants": 45,
    "Vases and decoration": 60,
    "Rugs and mats": 90,
    "TV and audio": 480,
    "Computers and phones": 900,
    "Toys and games": 55,
    "Musical instruments": 800,
    "Small appliances": 260,
    "Large appliances": 520,
    "Kitchen cabinets": 190,
    "Tableware and kitchenware": 70,
    "Bathroom": 280,
    "Boxes, bins and luggage": 80,
    "Radiators and fireplaces": 230,
}


@dataclass(frozen=True)
class Scene:
    """A finished room: its picture's path inside the catalogue and what is to be seen in it."""

    scene_id: str
    image: str
    title: str
    room: str
    regions: tuple[Region, ...]


def title_of(product: Product, color: str) -> str:
    """For example: Winchester sofa Kelda, brown leather. The series names are invented."""
    first, second = _digest(product.product_id, 0), _digest(product.product_id, 1)
    series = _ONSETS[first % len(_ONSETS)] + _ENDINGS[second % len(_ENDINGS)]
    made = "" if product.material in ("plant", "plush") else f" {product.material}"
    return f"{product.name} {series}, {color}{made}"


def price_of(product: Product) -> float:
    """An invented price in euros that grows with size and differs between like things."""
    model = product.model
    size_m = max(model.width_cm, model.depth_cm, model.height_cm) / 100
    spread = 0.75 + 0.6 * (_digest(product.product_id, 2) % 1000) / 1000
    price = _PRICE_PER_M[product.category] * math.pow(size_m, 0.8) * spread
    return float(round(price / 10) * 10 - 1) if price >= 100 else max(1, round(price)) - 0.01


def write_products(out: Path, products: Sequence[Product], facts: Mapping[str, ProductFacts]) -> None:
    """`products.csv` of the products whose pictures are sound; `facts` go by product id."""
    rows = []
    for product in products:
        color = facts[product.product_id].appearance.colour
        model = product.model
        row = (
            product.product_id,
            title_of(product, color),
            product.category,
            f"products/{product.product_id}.jpg",
            f"{price_of(product):.2f}",
            "EUR",
            model.source_url,
            color,
            product.material,
            f"{model.width_cm:.0f}",
            f"{model.depth_cm:.0f}",
            f"{model.height_cm:.0f}",
            model.creator,
            model.license.spdx,
        )
        rows.append(row)
    _write(out / "products.csv", PRODUCT_COLUMNS, rows)


def write_scenes(out: Path, scenes: Sequence[Scene]) -> None:
    """`scenes.csv` and `regions.csv`."""
    _write(out / "scenes.csv", SCENE_COLUMNS, [(s.scene_id, s.image, s.title, s.room) for s in scenes])
    rows = [
        (s.scene_id, r.product_id, r.x_min, r.y_min, r.x_max, r.y_max, r.visible)
        for s in scenes
        for r in s.regions
    ]
    _write(out / "regions.csv", REGION_COLUMNS, rows)


def write_attribution(path: Path, products: Sequence[Product]) -> None:
    """Every model with author, licence and source, as the libraries state them; CC BY models first."""
    lines = [
        "The pictures of the sample catalogue are renderings of the 3D models below. The models come from",
        "the furniture libraries of Sweet Home 3D (Debian package sweethome3d-furniture), where Emmanuel",
        "Puybaret (eTeks) cleaned them and converted them to OBJ. Changes made here: scaled to their stated",
        "size, materials adjusted, lit, rendered as pictures. Written by `python -m samples.render`.",
        "",
        "product | model | author | licence | library | source",
    ]
    ordered = sorted(products, key=lambda p: (p.model.license == CC0, p.product_id))
    for product in ordered:
        m = product.model
        lines.append(
            f"{product.product_id} | {m.name} ({m.key}) | {m.creator} | {m.license.spdx} | {m.library}"
            f" | {m.source_url}"
        )
    lines += ["", "What the libraries state of themselves:"]
    lines += sorted({f"{p.model.library}: {p.model.library_notice}" for p in products})
    lines += ["", "Licence texts:"]
    texts = {(p.model.license.spdx, p.model.license.url) for p in products}
    lines += [f"{spdx} {url}" for spdx, url in sorted(texts)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _digest(text: str, part: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{part}:{text}".encode()).digest()[:4], "big")
