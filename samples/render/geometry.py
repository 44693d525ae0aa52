"""Boxes and furniture in a room: metres, x to the right, y to the back, z up.

The room spans x in [0, width], y in [0, depth]; the camera stands at the front wall (y = 0). A product's own
front looks along -y at yaw 0; yaw turns counter-clockwise seen from above.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SURFACE_TOLERANCE_CM = 0.6


@dataclass(frozen=True)
class Box3:
    """An axis-parallel box."""

    x0: float
    y0: float
    z0: float
    x1: float
    y1: float
    z1: float

    def overlaps(self, other: "Box3", gap: float = 0.0) -> bool:
        """True if the boxes come nearer than `gap` sideways and share some height."""
        return (
            self.x0 < other.x1 + gap
            and other.x0 < self.x1 + gap
            and self.y0 < other.y1 + gap
            and other.y0 < self.y1 + gap
            and self.z0 < other.z1 - 0.001
            and other.z0 < self.z1 - 0.001
        )


@dataclass(frozen=True)
class Item:
    """What placing needs to know of a product; `grid_cm` holds its top heights, front row first."""

    product_id: str
    category: str
    name: str
    width_m: float
    depth_m: float
    height_m: float
    elevation_m: float
    grid_cm: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Placed:
    """An item at a spot: (x, y) is the middle of its rectangle, z its underside."""

    item: Item
    x: float
    y: float
    z: float
    yaw_deg: float
    support: int | None = None  # index of what it stands on; None: the floor, a wall, the ceiling

    @property
    def box(self) -> Box3:
        """The axis-parallel box round the turned item."""
        half_x, half_y = half_extents(self.item, self.yaw_deg)
        top = self.z + self.item.height_m
        return Box3(self.x - half_x, self.y - half_y, self.z, self.x + half_x, self.y + half_y, top)


def half_extents(item: Item, yaw_deg: float) -> tuple[float, float]:
    """Half the sides of the axis-parallel rectangle round an item turned by yaw."""
    cos, sin = abs(math.cos(math.radians(yaw_deg))), abs(math.sin(math.radians(yaw_deg)))
    return (
        (item.width_m * cos + item.depth_m * sin) / 2,
        (item.width_m * sin + item.depth_m * cos) / 2,
    )


def to_world(anchor: Placed, right: float, back: float) -> tuple[float, float]:
    """A point in an item's own frame (to its right, to its back) as room coordinates."""
    yaw = math.radians(anchor.yaw_deg)
    return (
        anchor.x + right * math.cos(yaw) - back * math.sin(yaw),
        anchor.y + right * math.sin(yaw) + back * math.cos(yaw),
    )


def level_top(item: Item, x0: float, y0: float, x1: float, y1: float) -> float | None:
    """Height (cm) of the item's top over a rectangle in its frame, or None where it is not level there."""
    rows, columns = len(item.grid_cm), len(item.grid_cm[0])
    low_c = max(0, math.floor((x0 / item.width_m + 0.5) * columns))
    high_c = min(columns - 1, math.ceil((x1 / item.width_m + 0.5) * columns) - 1)
    low_r = max(0, math.floor((y0 / item.depth_m + 0.5) * rows))
    high_r = min(rows - 1, math.ceil((y1 / item.depth_m + 0.5) * rows) - 1)
    heights = [item.grid_cm[r][c] for r in range(low_r, high_r + 1) for c in range(low_c, high_c + 1)]
    if not heights or min(heights) < 0 or max(heights) - min(heights) > SURFACE_TOLERANCE_CM:
        return None
    return max(heights)


def is_rug(item: Item) -> bool:
    """Things that furniture may stand on."""
    return item.category == "Rugs and mats"


def overlapping(placed: Sequence[Placed], tolerance_m: float = 0.0) -> list[tuple[int, int]]:
    """Index pairs of items that share space; a thing and what it stands on do not count, nor rugs."""
    return [
        (i, j)
        for i, one in enumerate(placed)
        for j, two in enumerate(placed[:i])
        if one.box.overlaps(two.box, -tolerance_m)
        and j != one.support
        and i != two.support
        and not is_rug(one.item)
        and not is_rug(two.item)
    ]
