"""What the catalogue holds, as plain immutable values.

The same values are used inside the service and by its client; `wire` turns
them into protobuf messages and back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.imaging import Box


@dataclass(frozen=True)
class Image:
    """A stored image. `image_id` is "sha256:" and 64 hex digits of the file; sizes are upright pixels."""

    image_id: str
    width_px: int = 0
    height_px: int = 0


@dataclass(frozen=True)
class Product:
    """An article of the catalogue. `price` is None when unknown, in units of `currency`."""

    product_id: str
    title: str = ""
    category: str = ""
    price: float | None = None
    currency: str = ""
    url: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    images: tuple[Image, ...] = ()


@dataclass(frozen=True)
class Region:
    """A box in a scene, in pixels of the upright photo; `product_id` is "" when nobody said what it shows."""

    region_id: str
    scene_id: str
    box: Box
    product_id: str = ""
    category: str = ""
    proposed: bool = False


@dataclass(frozen=True)
class Scene:
    """A room photo. `regions` is filled by `get_scene` alone."""

    scene_id: str
    image: Image
    attributes: Mapping[str, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
