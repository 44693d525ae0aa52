"""Room pictures: one finished JPEG, its mask and its regions per room; finished ones are skipped."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from samples.render.catalog import Scene
from samples.render.geometry import Item
from samples.render.library import Model
from samples.render.products import ProductFacts
from samples.render.rooms import RoomPlan
from samples.render.selection import Product
from samples.render.truth import Region, regions_of

JPEG_QUALITY = 88
MIN_PRODUCTS_SEEN = 6


def items_of(products: Sequence[Product], facts: Mapping[str, ProductFacts]) -> list[Item]:
    """What the layout needs, in metres."""
    return [
        Item(
            product_id=p.product_id,
            category=p.category,
            name=p.name,
            width_m=p.model.width_cm / 100,
            depth_m=p.model.depth_cm / 100,
            height_m=p.model.height_cm / 100,
            elevation_m=p.model.elevation_cm / 100,
            grid_cm=facts[p.product_id].grid_cm,
        )
        for p in products
    ]


def scene_facts_path(work: Path, plan: RoomPlan) -> Path:
    """Where a finished room's facts are; the name changes with the plan, so that a changed room is redone."""
    digest = hashlib.sha256(repr(plan).encode()).hexdigest()[:12]
    return work / "scenes" / f"{plan.scene_id}-{digest}.json"


def read_scene(path: Path) -> Scene:
    """A room finished by `render_scene`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    regions = tuple(Region(**r) for r in data["regions"])
    return Scene(data["scene_id"], data["image"], data["title"], data["room"], regions)


def is_worth_showing(scene: Scene) -> bool:
    """Enough different products can be seen."""
    return len({r.product_id for r in scene.regions}) >= MIN_PRODUCTS_SEEN


def render_scene(
    plan: RoomPlan,
    models: Mapping[str, Model],
    out: Path,
    work: Path,
    *,
    size_px: tuple[int, int],
    samples: int,
    threads: int,
) -> bool:
    """Renders one room into `out/scenes`; False if it was there already. Keeps its mask in `work/masks`."""
    jpeg, facts = out / "scenes" / f"{plan.scene_id}.jpg", scene_facts_path(work, plan)
    if jpeg.exists() and facts.exists():
        return False
    from samples.render.blender.scene import shoot_room

    masks, shots = work / "masks", work / "shots"
    for folder in (jpeg.parent, facts.parent, masks, shots):
        folder.mkdir(parents=True, exist_ok=True)
    png = shots / f"{plan.scene_id}.png"
    images = shoot_room(
        plan,
        models,
        png,
        cache=work / "models",
        width_px=size_px[0],
        height_px=size_px[1],
        samples=samples,
        threads=threads,
    )
    product_ids = [p.item.product_id for p in plan.placed]
    regions = regions_of(images.mask, product_ids, images.whole_px)
    with Image.open(png) as shot:
        shot.convert("RGB").save(jpeg, quality=JPEG_QUALITY, optimize=True)
    png.unlink()
    Image.fromarray(images.mask).save(masks / f"{plan.scene_id}.png", optimize=True)
    (masks / f"{plan.scene_id}.json").write_text(json.dumps(product_ids), encoding="utf-8")
    scene = Scene(plan.scene_id, f"scenes/{plan.scene_id}.jpg", plan.title, plan.kind, tuple(regions))
    facts.write_text(json.dumps(asdict(scene)), encoding="utf-8")
    return True
