"""`insitu search products` and `insitu search scenes`: both queries."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from cli.connection import DEFAULT_ADDRESS, AddressOption, open_client
from cli.terminal import CommandFailed, say_error, say_table

if TYPE_CHECKING:
    from services.imaging import Box
    from services.search.client import ProductResults, Query, SceneResults

    Page = TypeVar("Page", ProductResults, SceneResults)

MAX_PAGE = 100
MAX_HITS = 1_000

PhotoArgument = Annotated[
    Path | None,
    typer.Argument(help="JPEG, PNG or WebP photo; or give --product or --region.", show_default=False),
]
BoxOption = Annotated[
    str | None,
    typer.Option("--box", metavar="X0,Y0,X1,Y1", help="The object, in pixels of the upright photo."),
]
ProductOption = Annotated[
    str | None, typer.Option("--product", help="Search by a product of the catalogue: its id.")
]
RegionOption = Annotated[
    str | None, typer.Option("--region", help="Search by a region of a stored scene: its id.")
]
CategoryOption = Annotated[
    list[str] | None, typer.Option("--category", help="Only this category; repeat for more.")
]
AttributeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute", metavar="NAME=VALUE", help="Only with this attribute; one name twice means either."
    ),
]
MinScoreOption = Annotated[float | None, typer.Option("--min-score", help="Leave out what scores less.")]
CountOption = Annotated[int, typer.Option("-n", "--count", min=1, max=MAX_HITS, help="Results wanted.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
SaveOption = Annotated[
    Path | None,
    typer.Option("--save", metavar="PICTURE", help="Also save the results as one picture (.jpg, .png)."),
]

search = typer.Typer(no_args_is_help=True, help="Find products or scenes by how they look.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(search, name="search")


@search.command("products")
def search_products(
    photo: PhotoArgument = None,
    box: BoxOption = None,
    product: ProductOption = None,
    region: RegionOption = None,
    category: CategoryOption = None,
    price_min: Annotated[float | None, typer.Option("--price-min", min=0, help="Lowest price.")] = None,
    price_max: Annotated[float | None, typer.Option("--price-max", min=0, help="Highest price.")] = None,
    attribute: AttributeOption = None,
    min_score: MinScoreOption = None,
    count: CountOption = 20,
    as_json: JsonOption = False,
    save: SaveOption = None,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Query 1: the products most similar to an object in a photo, a product or a region."""
    from cli import results
    from services.search.client import ProductFilter

    query = parse_query(photo, box, product, region)
    where = ProductFilter(category or (), price_min, price_max, parse_attributes(attribute))
    with open_client(address) as client:
        fetch = partial(client.search_products, query, filter=where, min_score=min_score)
        pages = fetch_pages(fetch, count)
        page, hits = pages[-1], [hit for each in pages for hit in each.hits]
        if save is not None:
            from cli.contact_sheet import save_product_sheet

            save_product_sheet(save, query, hits, client)
    if as_json:
        print(json.dumps(results.products_as_json(hits, page), indent=2, ensure_ascii=False))
    else:
        say_table(results.PRODUCT_COLUMNS, results.product_rows(hits))
        _warn(page.low_confidence, len(hits))


@search.command("scenes")
def search_scenes(
    photo: PhotoArgument = None,
    box: BoxOption = None,
    product: ProductOption = None,
    region: RegionOption = None,
    category: CategoryOption = None,
    attribute: AttributeOption = None,
    drawn_only: Annotated[
        bool, typer.Option("--drawn-only", help="Leave out regions that the import proposed and nobody drew.")
    ] = False,
    min_score: MinScoreOption = None,
    count: CountOption = 20,
    as_json: JsonOption = False,
    save: SaveOption = None,
    address: AddressOption = DEFAULT_ADDRESS,
) -> None:
    """Query 2: the scenes that use a product, or something most like it."""
    from cli import results
    from services.search.client import SceneFilter

    query = parse_query(photo, box, product, region)
    where = SceneFilter(category or (), parse_attributes(attribute), drawn_only)
    with open_client(address) as client:
        fetch = partial(client.search_scenes, query, filter=where, min_score=min_score)
        pages = fetch_pages(fetch, count)
        page, hits = pages[-1], [hit for each in pages for hit in each.hits]
        if save is not None:
            from cli.contact_sheet import save_scene_sheet

            save_scene_sheet(save, query, hits, client)
    if as_json:
        print(json.dumps(results.scenes_as_json(hits, page), indent=2, ensure_ascii=False))
    else:
        say_table(results.SCENE_COLUMNS, results.scene_rows(hits))
        _warn(page.low_confidence, len(hits))


def fetch_pages(fetch: Callable[..., Page], count: int) -> list[Page]:
    """Pages of hits until there are `count` of them or no more; at least one page.

    Args:
        fetch: a search of the client, waiting for `page_size` and `page_token`.
        count: hits wanted.
    """
    pages: list[Page] = []
    found, token = 0, ""
    while not pages or (found < count and token):
        page = fetch(page_size=min(count - found, MAX_PAGE), page_token=token)
        pages.append(page)
        found += len(page.hits)
        token = page.next_page_token
    return pages


def parse_query(photo: Path | None, box: str | None, product: str | None, region: str | None) -> Query:
    """The one query that was given; the photo is read and judged here.

    Raises CommandFailed, ImageRefused or OSError, each with a sentence.
    """
    from services.imaging import BoxRefused, read_header
    from services.search.client import PhotoQuery, ProductQuery, RegionQuery

    if sum(given is not None for given in (photo, product, region)) != 1:
        raise CommandFailed("Give one of PHOTO, --product ID or --region ID.")
    if box is not None and photo is None:
        raise CommandFailed("--box needs a PHOTO.")
    if product is not None:
        return ProductQuery(product)
    if region is not None:
        return RegionQuery(region)
    assert photo is not None
    data = photo.read_bytes()
    header = read_header(data)
    if box is None:
        return PhotoQuery(data)
    drawn = parse_box(box)
    try:
        drawn.clipped(header.width_px, header.height_px)
    except BoxRefused as error:
        raise CommandFailed(
            f"{error.message} The photo has {header.width_px} x {header.height_px} pixels."
        ) from error
    return PhotoQuery(data, drawn)


def parse_box(text: str) -> Box:
    """Four comma-separated numbers as a Box. Raises CommandFailed."""
    from services.imaging import Box

    try:
        x_min, y_min, x_max, y_max = map(float, text.split(","))
    except ValueError:
        raise CommandFailed("--box needs four numbers: X0,Y0,X1,Y1.") from None
    return Box(x_min, y_min, x_max, y_max)


def parse_attributes(pairs: list[str] | None) -> dict[str, list[str]]:
    """NAME=VALUE texts as name to values. Raises CommandFailed."""
    wanted: dict[str, list[str]] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not (name and equals and value):
            raise CommandFailed(f'--attribute needs NAME=VALUE, not "{pair}".')
        wanted.setdefault(name, []).append(value)
    return wanted


def _warn(low_confidence: bool, found: int) -> None:
    if low_confidence:
        say_error("The query has too little contrast to mean much; the results are a guess.")
    elif not found:
        say_error("Nothing was found.")
