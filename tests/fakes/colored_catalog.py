"""A catalogue of coloured things: products that fill their picture, rooms with coloured boxes in them."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from services.imaging import Box
from services.search.client import ImageFile, Product, ProductUpload, RegionBox, SceneUpload

COLORS = {
    "red": (200, 30, 30),
    "orange": (220, 130, 20),
    "green": (30, 170, 40),
    "blue": (30, 40, 200),
    "purple": (140, 30, 160),
    "cyan": (20, 180, 190),
}
ROOM_SIZE = (320, 240)
SOFA_BOX = Box(20, 100, 140, 200)
LAMP_BOX = Box(200, 20, 260, 80)


def picture(color: tuple[int, int, int], size: tuple[int, int] = (96, 96), seed: int = 0) -> bytes:
    """A textured JPEG of one colour; odd seeds have a darker lower half, and so another embedding."""
    noise = np.random.default_rng(seed).integers(-12, 13, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(color) + noise, 0, 255).astype(np.uint8)
    if seed % 2:
        pixels[size[1] // 2 :] = pixels[size[1] // 2 :] * 0.9
    return jpeg(Image.fromarray(pixels))


def jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=92)
    return out.getvalue()


def room(boxes: dict[Box, tuple[int, int, int]], seed: int = 0) -> bytes:
    """A light room with coloured boxes."""
    image = Image.new("RGB", ROOM_SIZE, (225, 222, 215))
    draw = ImageDraw.Draw(image)
    for box, color in boxes.items():
        draw.rectangle((box.x_min, box.y_min, box.x_max - 1, box.y_max - 1), fill=color)
        for line in range(int(box.y_min) + 8, int(box.y_max) - 8, 12):  # a little texture
            draw.line(
                (box.x_min + 8, line, box.x_max - 8, line), fill=tuple(c * 3 // 5 for c in color), width=3
            )
    draw.point((seed % 300, 1), fill=(0, 0, seed % 256))
    draw.rectangle((300, 230, 300 + seed % 20, 230 + seed % 7), fill=(90, 90, 90))
    return jpeg(image)


def file_of(data: bytes) -> ImageFile:
    return ImageFile(lambda: data)


def product(
    product_id: str,
    color: str,
    category: str = "sofa",
    price: float | None = None,
    images: int = 1,
    **attributes: str,
) -> ProductUpload:
    record = Product(
        product_id,
        title=f"{color} {category}",
        category=category,
        price=price,
        currency="EUR" if price is not None else "",
        url=f"https://shop.example/{product_id}",
        attributes={"color": color, **attributes},
    )
    seed = sum(product_id.encode())
    files = [file_of(picture(COLORS[color], seed=100 * seed + number)) for number in range(images)]
    return ProductUpload(record, files, source=f"products.csv:{product_id}")


def scene(
    scene_id: str, sofa: str, lamp: str, products: tuple[str, str] = ("", ""), **attributes: str
) -> SceneUpload:
    data = room({SOFA_BOX: COLORS[sofa], LAMP_BOX: COLORS[lamp]}, seed=sum(scene_id.encode()))
    regions = [
        RegionBox(SOFA_BOX, products[0], "regions.csv:1"),
        RegionBox(LAMP_BOX, products[1], "regions.csv:2"),
    ]
    return SceneUpload(scene_id, file_of(data), attributes, regions, source=f"scenes.csv:{scene_id}")


PRODUCTS = [
    product("red-sofa", "red", price=500, images=2),
    product("blue-sofa", "blue", price=700),
    product("green-sofa", "green"),
    product("red-lamp", "red", "lamp", price=50, material="paper"),
    product("cyan-lamp", "cyan", "lamp", price=80, material="glass"),
    product("orange-lamp", "orange", "lamp", price=20, material="paper"),
]
SCENES = [
    scene("living", "red", "cyan", ("red-sofa", "cyan-lamp"), room="Living Room"),
    scene("den", "red", "orange", ("", "orange-lamp"), room="Den"),
    scene("bedroom", "blue", "cyan", ("blue-sofa", ""), room="Bedroom"),
    scene("office", "green", "purple", ("green-sofa", ""), room="Office"),
]
