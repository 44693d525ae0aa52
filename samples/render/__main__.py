"""`python -m samples.render --out DIR --products N --rooms M`: renders a catalogue; see samples/README.md."""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from samples.render.catalog import write_attribution, write_products, write_scenes
from samples.render.library import LibraryError
from samples.render.products import facts_path, read_facts, render_product
from samples.render.rooms import RoomPlan, plan_rooms
from samples.render.scenes import is_worth_showing, items_of, read_scene, render_scene, scene_facts_path
from samples.render.selection import SelectionError, read_models, select_products
from samples.render.sheets import contact_sheet, draw_regions
from samples.render.workers import run_jobs

_SPARE_ROOMS = 1.3  # some planned rooms show too little and are left out


def main(arguments: Sequence[str] | None = None) -> int:
    """Renders what is missing, writes the tables. 0: done; 1: no library to render from."""
    args = _parser().parse_args(arguments)
    try:
        products = select_products(read_models(args.library), args.products)
    except (LibraryError, SelectionError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    draw = partial(
        render_product,
        out=args.out,
        work=args.work,
        side_px=args.product_px,
        samples=args.product_samples,
        threads=args.threads,
    )
    run_jobs("product", draw, products, args.workers)
    facts = {
        p.product_id: read_facts(facts_path(args.work, p))
        for p in products
        if facts_path(args.work, p).exists()
    }
    sound = [p for p in products if p.product_id in facts and facts[p.product_id].sound]
    for product in products:
        if product not in sound:
            sys.stderr.write(f"left out, its picture is broken: {product.product_id}\n")
            (args.out / "products" / f"{product.product_id}.jpg").unlink(missing_ok=True)
    write_products(args.out, sound, facts)
    write_attribution(args.attribution or args.out / "ATTRIBUTION", sound)
    plans = plan_rooms(items_of(sound, facts), round(args.rooms * _SPARE_ROOMS), args.seed)
    models = {p.product_id: p.model for p in sound}
    shoot = partial(
        render_scene,
        models=models,
        out=args.out,
        work=args.work,
        size_px=(args.room_px, args.room_px * 2 // 3),
        samples=args.room_samples,
        threads=args.threads,
    )
    kept: list[RoomPlan] = []
    # In rounds, so that spare rooms are rendered only where earlier ones were left out.
    while plans and len(kept) < args.rooms:
        batch, plans = plans[: args.rooms - len(kept)], plans[args.rooms - len(kept) :]
        run_jobs("room", shoot, batch, args.workers)
        kept += [p for p in batch if _is_kept(args.work, p)]
    scenes = [read_scene(scene_facts_path(args.work, p)) for p in kept]
    for stale in set((args.out / "scenes").glob("*.jpg")) - {args.out / s.image for s in scenes}:
        stale.unlink()
    write_scenes(args.out, scenes)
    if args.sheets and scenes:
        args.sheets.mkdir(parents=True, exist_ok=True)
        images = [args.out / "products" / f"{p.product_id}.jpg" for p in sound]
        contact_sheet(images, 120, 18).save(args.sheets / "products.png")
        contact_sheet([args.out / s.image for s in scenes], 480, 4).save(args.sheets / "rooms.png")
        for scene in scenes:
            draw_regions(args.out / scene.image, scene).save(args.sheets / f"{scene.scene_id}.png")
    sys.stderr.write(f"{len(sound)} products, {len(scenes)} rooms in {args.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m samples.render", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("samples/catalog"), help="the catalogue's folder")
    parser.add_argument(
        "--work", type=Path, default=Path(".cache/samples"), help="unpacked models, masks, facts"
    )
    parser.add_argument("--library", type=Path, default=Path("/usr/share/sweethome3d/furniture"))
    parser.add_argument("--attribution", type=Path, help="file of the attribution; default: in --out")
    parser.add_argument("--sheets", type=Path, help="also write contact sheets and rooms with boxes here")
    parser.add_argument("--products", type=int, help="how many, evenly over the categories; default: all")
    parser.add_argument("--rooms", type=int, default=24)
    parser.add_argument("--product-px", type=int, default=320)
    parser.add_argument("--room-px", type=int, default=960, help="width; the height is two thirds of it")
    parser.add_argument("--product-samples", type=int, default=12)
    parser.add_argument("--room-samples", type=int, default=18)
    parser.add_argument("--workers", type=int, default=1, help="Blender processes")
    parser.add_argument("--threads", type=int, default=2, help="threads of each")
    parser.add_argument("--seed", type=int, default=7)
    return parser


def _is_kept(work: Path, plan: RoomPlan) -> bool:
    path = scene_facts_path(work, plan)
    return path.exists() and is_worth_showing(read_scene(path))


if __name__ == "__main__":
    sys.exit(main())
