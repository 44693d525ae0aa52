"""Product pictures: one finished JPEG and one file of facts per product; finished ones are skipped."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image

from samples.render.appearance import Appearance, measure_appearance, on_white
from samples.render.selection import Product

JPEG_QUALITY = 88
_HANGING = {"Ceiling lamps", "Wall lamps"}
_FLAT_RATIO = 0.16


@dataclass(frozen=True)
class ProductFacts:
    """What rendering found out: the look, and the heights (cm) over a grid of the product's rectangle."""

    product_id: str
    appearance: Appearance
    grid_cm: tuple[tuple[float, ...], ...]

    @property
    def sound(self) -> bool:
        """False where the picture is visibly broken: magenta, empty, black, or white on white."""
        look = self.appearance
        return look.magenta < 0.05 and look.fill > 0.3 and look.contrast > 0.06 and look.darkness < 0.93


def view_of(product: Product) -> tuple[float, float, bool]:
    """(azimuth, elevation in degrees, stands on a floor) of the canonical view."""
    model = product.model
    hanging = product.category in _HANGING or model.elevation_cm > 80
    if model.height_cm < _FLAT_RATIO * max(model.width_cm, model.depth_cm) and not hanging:
        return -25.0, 48.0, True
    return -32.0, 8.0 if hanging else 17.0, not hanging


def facts_path(work: Path, product: Product) -> Path:
    """Where the facts of a product are kept."""
    return work / "facts" / f"{product.product_id}.json"


def read_facts(path: Path) -> ProductFacts:
    """Facts written by `render_product`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    grid = tuple(tuple(row) for row in data["grid_cm"])
    return ProductFacts(data["product_id"], Appearance(**data["appearance"]), grid)


def render_product(
    product: Product, out: Path, work: Path, *, side_px: int, samples: int, threads: int
) -> bool:
    """Renders one product into `out/products`; False if it was there already."""
    jpeg, facts = out / "products" / f"{product.product_id}.jpg", facts_path(work, product)
    if facts.exists() and (jpeg.exists() or not read_facts(facts).sound):
        return False
    from samples.render.blender.studio import View, shoot_product

    shots = work / "shots"
    for folder in (jpeg.parent, facts.parent, shots):
        folder.mkdir(parents=True, exist_ok=True)
    png = shots / f"{product.product_id}.png"
    grid = shoot_product(
        product.model,
        View(*view_of(product)),
        png,
        cache=work / "models",
        side_px=side_px,
        samples=samples,
        threads=threads,
    )
    with Image.open(png) as shot:
        shot.load()
    look = measure_appearance(shot)
    on_white(shot).save(jpeg, quality=JPEG_QUALITY, optimize=True)
    found = ProductFacts(product.product_id, look, tuple(tuple(row) for row in grid))
    facts.write_text(json.dumps(asdict(found)), encoding="utf-8")
    png.unlink()
    return True
