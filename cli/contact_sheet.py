"""Search results as one picture."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from cli.results import price_text
from cli.terminal import CommandFailed, printable
from services.imaging import Box, decode_image
from services.search.client import PhotoQuery, ProductHit, Query, SceneHit, SearchClient

COLUMNS = 5
TILE_PX = 240
TEXT_PX = 44
GAP_PX = 12
MAX_TILES = 100
BOX_COLOR = (214, 40, 40)


def save_product_sheet(path: Path, query: Query, hits: Sequence[ProductHit], client: SearchClient) -> None:
    """Save the closest image of every hit with title, score and price; the query photo comes first."""
    tiles = query_tiles(query)
    for hit in hits[: MAX_TILES - 1]:
        picture = fetch(client, hit.closest_image_id)
        tiles.append((picture, hit.product.title, f"{hit.score:.3f}  {price_text(hit.product)}"))
    save_sheet(path, tiles)


def save_scene_sheet(path: Path, query: Query, hits: Sequence[SceneHit], client: SearchClient) -> None:
    """Save every scene, its best box (and any that shows the query product) drawn; the query comes first."""
    tiles = query_tiles(query)
    for hit in hits[: MAX_TILES - 1]:
        picture = fetch(client, hit.scene.image.image_id)
        factor = picture.width / max(hit.scene.image.width_px, 1)
        for rank, found in enumerate(hit.regions):
            # Further regions of a scene may be far from the query; the table has them with their scores.
            if rank == 0 or found.shows_query_product:
                draw_box(picture, found.region.box.scaled(factor, factor))
        tiles.append((picture, hit.scene.scene_id, f"{hit.score:.3f}"))
    save_sheet(path, tiles)


def fetch(client: SearchClient, image_id: str) -> Image.Image:
    """A stored image, no bigger than a tile needs."""
    return decode_image(client.get_image(image_id, max_side_px=2 * TILE_PX))


def query_tiles(query: Query) -> list[tuple[Image.Image, str, str]]:
    """The query photo with its box, if the query has one."""
    if not isinstance(query, PhotoQuery):
        return []
    photo = decode_image(query.image)
    if query.box is not None:
        draw_box(photo, query.box)
    return [(photo, "Query", "")]


def draw_box(picture: Image.Image, box: Box) -> None:
    """Outline `box`, as thick as the picture needs to show it when it is scaled down."""
    width_px = max(2, max(picture.size) // 120)
    ImageDraw.Draw(picture).rectangle(
        (box.x_min, box.y_min, box.x_max - 1, box.y_max - 1), outline=BOX_COLOR, width=width_px
    )


def save_sheet(path: Path, tiles: Sequence[tuple[Image.Image, str, str]]) -> None:
    """Save the tiles (picture, title, second line) in rows of five.

    Raises CommandFailed when the suffix names no picture format, or there is nothing to show.
    """
    if path.suffix.lower() not in {".jpg", ".jpeg", ".png", ".webp"}:
        raise CommandFailed(f"{path.name} must end in .jpg, .png or .webp.")
    if not tiles:
        raise CommandFailed("There is no result to save.")
    columns = min(COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    step_x, step_y = TILE_PX + GAP_PX, TILE_PX + TEXT_PX + GAP_PX
    sheet = Image.new("RGB", (columns * step_x + GAP_PX, rows * step_y + GAP_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for number, (picture, title, second) in enumerate(tiles):
        left = GAP_PX + number % columns * step_x
        top = GAP_PX + number // columns * step_y
        small = picture.copy()
        small.thumbnail((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
        sheet.paste(small, (left + (TILE_PX - small.width) // 2, top + (TILE_PX - small.height) // 2))
        draw.text((left, top + TILE_PX + 4), fitted(printable(title), font, TILE_PX), fill="black", font=font)
        draw.text((left, top + TILE_PX + 22), fitted(second, font, TILE_PX), fill=(90, 90, 90), font=font)
    out = io.BytesIO()
    sheet.save(out, {".png": "PNG", ".webp": "WEBP"}.get(path.suffix.lower(), "JPEG"))
    path.write_bytes(out.getvalue())


def fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width_px: int) -> str:
    """`text`, shortened until it fits."""
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "...") > width_px:
        text = text[:-1]
    return text.rstrip() + "..."
