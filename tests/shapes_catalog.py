"""A small catalogue of colored shapes, for tests: no photo, no download, the same bytes every time.

Products are colored shapes on white (300 x 300 px), rooms are the same shapes drawn at known boxes on a
pale wall and floor (640 x 480 px). A mean-color model finds the right product for each region, because every
product has a hue of its own.
"""

from __future__ import annotations

import colorsys
import csv
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
BoxPx = tuple[int, int, int, int]  # x_min, y_min, x_max, y_max; max exclusive
Part = tuple[float, float, float, float]  # the same in fractions of a box
DrawShape = Callable[[ImageDraw.ImageDraw, BoxPx, RGB], None]

PRODUCT_SIDE_PX = 300
ROOM_SIZE_PX = (640, 480)
HUES = "red orange yellow lime green mint cyan azure blue violet pink rose"
HUE_NAMES = tuple(HUES.split())


def write_shapes_catalog(folder: Path, n_products: int = 12, n_scenes: int = 6, seed: int = 0) -> None:
    """Write products.csv, scenes.csv, regions.csv and their PNG images into `folder`.

    Product ids are ``P-000``, ``P-001``, ...; scene ids ``S-000``, ...; categories turn through
    `CATEGORIES` (product i has category i modulo 6), prices are 10, 20, 30, ... EUR. Every room shows three
    different products (fewer when there are fewer) at exact boxes. Same arguments, same bytes.
    """
    rng = random.Random(seed)
    (folder / "products").mkdir(parents=True, exist_ok=True)
    (folder / "scenes").mkdir(parents=True, exist_ok=True)
    kinds = list(CATEGORIES)
    colors = [product_color(index, n_products) for index in range(n_products)]
    with (folder / "products.csv").open("w", newline="", encoding="utf-8") as out:
        table = csv.writer(out)
        table.writerow(["product_id", "title", "category", "price", "currency", "color", "image"])
        for index, rgb in enumerate(colors):
            kind = kinds[index % len(kinds)]
            name = hue_name(index, n_products)
            image = f"products/P-{index:03d}.png"
            draw_product(kind, rgb).save(folder / image)
            title = f"{name.capitalize()} {kind} {index}"
            table.writerow([f"P-{index:03d}", title, kind, 10 * (index + 1), "EUR", name, image])
    scenes: list[list[object]] = [["scene_id", "image", "room"]]
    regions: list[list[object]] = [["scene_id", "product_id", "x_min", "y_min", "x_max", "y_max"]]
    for number in range(n_scenes):
        scene_id, image = f"S-{number:03d}", f"scenes/S-{number:03d}.png"
        room = empty_room(rng)
        # Turn through the products, so that each is used somewhere as soon as there are rooms enough.
        shown = sorted({(3 * number + k) % n_products for k in range(3)}) if n_products else []
        for slot, index in enumerate(shown):
            box = random_box(rng, slot)
            CATEGORIES[kinds[index % len(kinds)]](ImageDraw.Draw(room), box, colors[index])
            regions.append([scene_id, f"P-{index:03d}", *box])
        room.save(folder / image)
        scenes.append([scene_id, image, ("Living room", "Bedroom")[number % 2]])
    for file_name, rows in (("scenes.csv", scenes), ("regions.csv", regions)):
        with (folder / file_name).open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows(rows)


def product_color(index: int, n_products: int) -> RGB:
    """Color of product `index`: hues spread evenly over the circle."""
    red, green, blue = colorsys.hsv_to_rgb(index / max(n_products, 1), 0.85, 0.8)
    return round(red * 255), round(green * 255), round(blue * 255)


def hue_name(index: int, n_products: int) -> str:
    """Name of that color, the value of the `color` attribute."""
    return HUE_NAMES[round(index / max(n_products, 1) * len(HUE_NAMES)) % len(HUE_NAMES)]


def draw_product(kind: str, rgb: RGB) -> Image.Image:
    """An iconic picture: the shape on white with a margin of 30 px."""
    image = Image.new("RGB", (PRODUCT_SIDE_PX, PRODUCT_SIDE_PX), "white")
    CATEGORIES[kind](ImageDraw.Draw(image), (30, 30, 270, 270), rgb)
    return image


def empty_room(rng: random.Random) -> Image.Image:
    """A pale wall above a pale floor."""
    width, height = ROOM_SIZE_PX
    tint = rng.randrange(10)
    image = Image.new("RGB", ROOM_SIZE_PX, (245 + tint, 245 + tint, 245))
    ImageDraw.Draw(image).rectangle((0, height * 3 // 4, width, height), fill=(228, 222, 215 + tint))
    return image


def random_box(rng: random.Random, slot: int) -> BoxPx:
    """A box of 120 to 180 px a side in one of three columns of the room, so that none overlap."""
    width, height = rng.randrange(120, 181), rng.randrange(120, 181)
    x_min = slot * 213 + rng.randrange(10, 213 - width - 10 + 1)
    y_min = rng.randrange(120, ROOM_SIZE_PX[1] - height - 20)
    return x_min, y_min, x_min + width, y_min + height


def _rectangle(draw: ImageDraw.ImageDraw, box: BoxPx, part: Part, rgb: RGB) -> None:
    """Fill `part` of `box`; part is in fractions of the box."""
    x_min, y_min, x_max, y_max = box
    width, height = x_max - x_min, y_max - y_min
    # Pillow's rectangles include their last pixel, our boxes do not.
    right, bottom = x_min + part[2] * width - 1, y_min + part[3] * height - 1
    draw.rectangle((x_min + part[0] * width, y_min + part[1] * height, right, bottom), fill=rgb)


def _draw_parts(*parts: Part) -> DrawShape:
    def draw_kind(draw: ImageDraw.ImageDraw, box: BoxPx, rgb: RGB) -> None:
        for part in parts:
            _rectangle(draw, box, part, rgb)

    return draw_kind


def _draw_ellipse(draw: ImageDraw.ImageDraw, box: BoxPx, rgb: RGB) -> None:
    draw.ellipse((box[0], box[1], box[2] - 1, box[3] - 1), fill=rgb)


# Category -> how to draw it so that it touches all four sides of its box.
CATEGORIES: dict[str, DrawShape] = {
    "chair": _draw_parts((0, 0, 0.35, 1), (0, 0.45, 1, 0.7), (0.75, 0.45, 1, 1)),
    "sofa": _draw_parts((0, 0.3, 1, 1), (0.1, 0, 0.9, 0.5)),
    "lamp": _draw_parts((0, 0, 1, 0.5), (0.42, 0.5, 0.58, 0.9), (0.15, 0.85, 0.85, 1)),
    "table": _draw_parts((0, 0, 1, 0.35), (0.05, 0.3, 0.3, 1), (0.7, 0.3, 0.95, 1)),
    "vase": _draw_parts((0.3, 0, 0.7, 0.4), (0, 0.35, 1, 1)),
    "rug": _draw_ellipse,
}
