"""`insitu show` and `insitu facts`: what the service holds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli.connection import DEFAULT_ADDRESS, AddressOption, open_client
from cli.terminal import printable, say_table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

show = typer.Typer(no_args_is_help=True, help="Show a product or a scene of the service.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(show, name="show")
    app.command("facts")(facts)


@show.command("product")
def show_product(
    product_id: Annotated[str, typer.Argument(help="The catalogue's own id.")],
    as_json: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Show one product."""
    from cli.results import price_text, product_as_json

    with open_client(address) as client:
        product = client.get_product(product_id)
    if as_json:
        print(json.dumps(product_as_json(product), indent=2, ensure_ascii=False))
        return
    rows = [
        ("product_id", product.product_id),
        ("title", product.title),
        ("category", product.category),
        ("price", price_text(product)),
        ("url", product.url),
        *sorted(product.attributes.items()),
        *(
            (f"image {n}", f"{i.image_id} ({i.width_px} x {i.height_px} px)")
            for n, i in enumerate(product.images, 1)
        ),
    ]
    say_pairs(rows)


@show.command("scene")
def show_scene(
    scene_id: Annotated[str, typer.Argument(help="The catalogue's own id.")],
    as_json: JsonOption = False,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Show one scene and its regions; their ids go into `insitu search --region`."""
    from cli.results import box_text, scene_as_json

    with open_client(address) as client:
        scene = client.get_scene(scene_id)
    if as_json:
        print(json.dumps(scene_as_json(scene, with_regions=True), indent=2, ensure_ascii=False))
        return
    image = f"{scene.image.image_id} ({scene.image.width_px} x {scene.image.height_px} px)"
    say_pairs([("scene_id", scene.scene_id), ("image", image), *sorted(scene.attributes.items())])
    say_table(
        ("region_id", "box", "product_id", "category", "proposed"),
        [
            [r.region_id, box_text(r.box), r.product_id, r.category, "yes" if r.proposed else "no"]
            for r in scene.regions
        ],
    )


def facts(as_json: JsonOption = False, address: AddressOption = DEFAULT_ADDRESS) -> None:
    """Show counts, categories and model of the service."""
    with open_client(address) as client:
        found = client.facts()
    if as_json:
        content = asdict(found)
        content["categories"] = dict(found.categories)
        content["indexed_at"] = found.indexed_at.isoformat() if found.indexed_at else None
        print(json.dumps(content, indent=2, ensure_ascii=False))
        return
    say_pairs(
        [
            ("products", f"{found.product_count:,} with {found.product_image_count:,} images"),
            ("scenes", f"{found.scene_count:,} with {found.region_count:,} regions"),
            ("categories", ", ".join(f"{category} ({count:,})" for category, count in found.categories)),
            ("attributes", ", ".join(found.attribute_names)),
            ("model", found.model_digest or "none yet"),
            ("embedder's model", found.embedder_model_digest or "not reached"),
            ("dimension", str(found.dimension)),
            ("indexed at", found.indexed_at.isoformat(timespec="seconds") if found.indexed_at else "never"),
            ("engine", found.engine),
        ]
    )


def say_pairs(rows: list[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, without the empty ones."""
    width = max(len(printable(name)) for name, _ in rows)
    for name, value in rows:
        if value:
            print(f"{printable(name):<{width}}  {printable(value)}")
