"""Contact sheets: the whole catalogue at a glance, for eyes."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from samples.render.catalog import Scene

_LABEL_PX = 14


def contact_sheet(images: Sequence[Path], tile_px: int, columns: int) -> Image.Image:
    """Thumbnails in a grid, each under its file's name."""
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * tile_px, rows * (tile_px + _LABEL_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    for index, path in enumerate(images):
        x, y = index % columns * tile_px, index // columns * (tile_px + _LABEL_PX)
        with Image.open(path) as image:
            sheet.paste(
                ImageOps.contain(image.convert("RGB"), (tile_px - 4, tile_px - 4)), (x + 2, y + _LABEL_PX)
            )
        draw.text((x + 2, y + 1), path.stem[: tile_px // 6], fill="black")
    return sheet


def draw_regions(image: Path, scene: Scene) -> Image.Image:
    """A room with its ground-truth boxes drawn in."""
    with Image.open(image) as picture:
        canvas = picture.convert("RGB")
    draw = ImageDraw.Draw(canvas)
    for region in scene.regions:
        draw.rectangle(
            (region.x_min, region.y_min, region.x_max - 1, region.y_max - 1), outline=(230, 30, 30)
        )
        draw.text((region.x_min + 2, region.y_min + 1), region.product_id, fill=(230, 30, 30))
    return canvas
