"""Places furniture in a room without overlaps, and chooses it; axes as in `geometry`."""

import math
import random
from collections.abc import Iterable, Sequence

from samples.render.geometry import Box3, Item, Placed, half_extents, is_rug, level_top, to_world

WALL_GAP_M = 0.02
FLOOR_GAP_M = 0.04
TABLE_GAP_M = 0.015
RUG_PROUD_M = 0.006
_WALL_YAW = {"back": 0.0, "left": 90.0, "right": -90.0}


class Planner:
    """One room being furnished. Every method returns what it placed, or None where nothing fits."""

    def __init__(
        self,
        width_m: float,
        depth_m: float,
        height_m: float,
        rng: random.Random,
        keep_clear: Sequence[Box3] = (),
    ) -> None:
        self.width_m, self.depth_m, self.height_m = width_m, depth_m, height_m
        self.rng = rng
        self.keep_clear = list(keep_clear)
        self.placed: list[Placed] = []

    def is_free(self, candidate: Placed, gap: float = FLOOR_GAP_M) -> bool:
        """Inside the room, out of what must stay clear, and apart from everything but its support."""
        box, slack = candidate.box, 1e-6
        inside = (
            box.x0 >= -slack
            and box.y0 >= -slack
            and box.z0 >= -0.1
            and box.x1 <= self.width_m + slack
            and box.y1 <= self.depth_m + slack
            and box.z1 <= self.height_m + slack
        )
        if not inside or any(box.overlaps(clear) for clear in self.keep_clear):
            return False
        return not any(
            box.overlaps(other.box, gap)
            for index, other in enumerate(self.placed)
            if index != candidate.support and not is_rug(other.item) and not is_rug(candidate.item)
        )

    def put(self, candidate: Placed, gap: float = FLOOR_GAP_M) -> Placed | None:
        """Places the candidate if it is free."""
        if not self.is_free(candidate, gap):
            return None
        self.placed.append(candidate)
        return candidate

    def against(
        self, item: Item, wall: str, at: float | None = None, z: float = 0.0, gap: float = FLOOR_GAP_M
    ) -> Placed | None:
        """Back to a wall; `at` in 0..1 along it (left to right, front to back), else anywhere."""
        yaw = _WALL_YAW[wall]
        half_x, half_y = half_extents(item, yaw)
        spots = [at] if at is not None else [self.rng.random() for _ in range(40)]
        for spot in spots:
            if wall == "back":
                x = half_x + WALL_GAP_M + spot * (self.width_m - 2 * half_x - 2 * WALL_GAP_M)
                y = self.depth_m - half_y - WALL_GAP_M
            else:
                y = half_y + spot * (self.depth_m - 2 * half_y - WALL_GAP_M)
                x = half_x + WALL_GAP_M if wall == "left" else self.width_m - half_x - WALL_GAP_M
            done = self.put(Placed(item, x, y, z, yaw), gap)
            if done:
                return done
        return None

    def relative(
        self, item: Item, anchor: Placed, right: float, back: float, turn_deg: float = 0.0
    ) -> Placed | None:
        """At a point of the anchor's own frame, turned against the anchor."""
        x, y = to_world(anchor, right, back)
        return self.put(Placed(item, x, y, 0.0, anchor.yaw_deg + turn_deg))

    def in_front(self, item: Item, anchor: Placed, gap_m: float, turn_deg: float = 0.0) -> Placed | None:
        """Centred before the anchor's front, `gap_m` apart."""
        reach = half_extents(item, turn_deg)[1]
        return self.relative(item, anchor, 0.0, -(anchor.item.depth_m / 2 + gap_m + reach), turn_deg)

    def beside(self, item: Item, anchor: Placed, side: int, gap_m: float = 0.08) -> Placed | None:
        """Next to the anchor (side -1: its left, 1: its right), both backs in line."""
        right = side * (anchor.item.width_m / 2 + gap_m + item.width_m / 2)
        return self.relative(item, anchor, right, (anchor.item.depth_m - item.depth_m) / 2)

    def around(self, chair: Item, table: Placed, limit: int, gap_m: float = 0.05) -> list[Placed]:
        """Chairs at the table's sides, each facing it."""
        half_w, half_d = table.item.width_m / 2, table.item.depth_m / 2
        out = chair.depth_m / 2 + gap_m
        along = max(1, min(3, int(table.item.width_m / (chair.width_m + 0.12))))
        spots = [((k + 0.5) / along - 0.5) * table.item.width_m for k in range(along)]
        seats = [(x, half_d + out, 0.0) for x in spots] + [(x, -half_d - out, 180.0) for x in spots]
        if table.item.depth_m > 0.65:
            seats += [(-half_w - out, 0.0, 90.0), (half_w + out, 0.0, -90.0)]
        self.rng.shuffle(seats)
        done = [self.relative(chair, table, *seat) for seat in seats[:limit]]
        return [d for d in done if d]

    def on(self, item: Item, support: Placed, prefer: str = "any", turn_deg: float = 0.0) -> Placed | None:
        """Standing on a level part of the support's top; prefer 'back', 'middle' or 'any' of it."""
        index = self.placed.index(support)
        width, depth = support.item.width_m, support.item.depth_m
        half_x, half_y = half_extents(item, turn_deg)
        margin = 0.012
        spots = [
            (
                self.rng.uniform(-1, 1) * (width / 2 - half_x - margin),
                self.rng.uniform(-1, 1) * (depth / 2 - half_y - margin),
            )
            for _ in range(60)
            if half_x + margin <= width / 2 and half_y + margin <= depth / 2
        ]
        if prefer == "back":
            spots.sort(key=lambda s: -s[1])
        elif prefer == "middle":
            spots = [(0.0, 0.0), *sorted(spots, key=lambda s: math.hypot(*s))]
        for right, back in spots:
            height_cm = level_top(support.item, right - half_x, back - half_y, right + half_x, back + half_y)
            if height_cm is None or not 20 <= height_cm <= 135:
                continue
            x, y = to_world(support, right, back)
            spot = Placed(item, x, y, support.z + height_cm / 100, support.yaw_deg + turn_deg, index)
            done = self.put(spot, TABLE_GAP_M)
            if done:
                return done
        return None

    def hang(self, item: Item, x: float, y: float) -> Placed | None:
        """From the ceiling."""
        return self.put(Placed(item, x, y, self.height_m - item.height_m - 0.002, 0.0))

    def lay_rug(self, item: Item, x: float, y: float, yaw_deg: float = 0.0) -> Placed | None:
        """Flat on the floor, under furniture; sunk so that it stands a few millimetres proud."""
        return self.put(Placed(item, x, y, RUG_PROUD_M - item.height_m, yaw_deg))


class Picker:
    """Chooses products, least used first, so that a set of rooms shows as many as possible."""

    def __init__(self, items: Iterable[Item], rng: random.Random) -> None:
        self.items = list(items)
        self.rng = rng
        self.used: dict[str, int] = {}
        self.here: Sequence[Placed] = ()  # what the room being furnished has; nothing is offered twice

    def ranked(
        self,
        *categories: str,
        low: float = 0.0,
        high: float = 9.0,
        wide: float = 9.0,
        on_wall: bool = False,
    ) -> list[Item]:
        """Items of the categories with a height in [low, high] and no side over `wide` (metres).

        `on_wall`: those that hang on a wall, else those that stand.
        """
        here = {p.item.product_id for p in self.here}
        fitting = [
            i
            for i in self.items
            if i.category in categories
            and low <= i.height_m <= high
            and max(i.width_m, i.depth_m) <= wide
            and i.product_id not in here
            and (i.elevation_m > 0.3) == on_wall
        ]
        return sorted(fitting, key=lambda i: (self.used.get(i.product_id, 0), self.rng.random()))

    def count(self, placed: Iterable[Placed]) -> None:
        """Notes what a finished room uses."""
        for product_id in {p.item.product_id for p in placed}:
            self.used[product_id] = self.used.get(product_id, 0) + 1
