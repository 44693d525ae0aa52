"""Plans whole rooms: size, window, finishes, light, camera and furniture, all from one seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from samples.render.geometry import Box3, Item, Placed, overlapping
from samples.render.layout import Picker, Planner
from samples.render.recipes import RECIPES

Rgb = tuple[float, float, float]
MIN_PRODUCTS = 8
CURTAIN_M = 0.3  # width of one drawn curtain
KINDS = (
    "Living room",
    "Bedroom",
    "Dining room",
    "Living room",
    "Office",
    "Kitchen",
    "Living room",
    "Bedroom",
    "Nursery",
    "Dining room",
)
# Width and depth ranges in metres. Rooms of small things are shallow: the camera comes nearer.
_SIZES = {
    "Living room": (4.4, 5.2, 3.9, 4.5),
    "Bedroom": (4.0, 4.6, 3.8, 4.3),
    "Dining room": (3.9, 4.6, 3.7, 4.2),
    "Office": (3.6, 4.4, 3.1, 3.6),
    "Nursery": (3.6, 4.2, 3.3, 3.8),
    "Kitchen": (3.6, 4.2, 3.1, 3.5),
}
# Linear RGB of wall paints, and of floors as (kind, light, dark).
_PAINTS: tuple[Rgb, ...] = (
    (0.74, 0.73, 0.70),
    (0.66, 0.62, 0.55),
    (0.44, 0.50, 0.42),
    (0.38, 0.46, 0.54),
    (0.62, 0.47, 0.38),
    (0.56, 0.56, 0.57),
    (0.70, 0.63, 0.46),
    (0.22, 0.30, 0.34),
    (0.60, 0.50, 0.50),
)
_FLOORS: tuple[tuple[str, Rgb, Rgb], ...] = (
    ("planks", (0.46, 0.30, 0.17), (0.36, 0.22, 0.12)),
    ("planks", (0.24, 0.13, 0.07), (0.15, 0.08, 0.045)),
    ("planks", (0.55, 0.46, 0.36), (0.47, 0.38, 0.29)),
    ("planks", (0.36, 0.33, 0.29), (0.27, 0.25, 0.22)),
    ("carpet", (0.38, 0.36, 0.33), (0.31, 0.29, 0.27)),
    ("concrete", (0.40, 0.40, 0.39), (0.32, 0.32, 0.31)),
    ("tiles", (0.55, 0.54, 0.51), (0.47, 0.46, 0.44)),
    ("tiles", (0.30, 0.31, 0.32), (0.24, 0.25, 0.26)),
)
_RUGS: tuple[tuple[Rgb, Rgb], ...] = (
    ((0.55, 0.50, 0.42), (0.40, 0.36, 0.30)),
    ((0.14, 0.20, 0.30), (0.45, 0.44, 0.40)),
    ((0.42, 0.16, 0.11), (0.55, 0.42, 0.28)),
    ((0.28, 0.32, 0.26), (0.50, 0.49, 0.42)),
    ((0.30, 0.30, 0.31), (0.60, 0.59, 0.57)),
)
_CURTAINS: tuple[Rgb, ...] = ((0.72, 0.70, 0.66), (0.50, 0.47, 0.42), (0.30, 0.36, 0.42), (0.55, 0.42, 0.34))
_LIGHTS = ("morning sun", "overcast day", "afternoon sun", "evening")


@dataclass(frozen=True)
class Window:
    """An opening in the left or right wall, in metres along y and up."""

    wall: str
    y0: float
    y1: float
    z0: float
    z1: float


@dataclass(frozen=True)
class Picture:
    """A painted panel on the back wall: middle, size in metres, its two colours."""

    x: float
    z: float
    width_m: float
    height_m: float
    colours: tuple[Rgb, Rgb]


@dataclass(frozen=True)
class Finish:
    """Materials of the shell; colours are linear RGB."""

    paint: Rgb
    accent: Rgb  # the back wall
    floor: tuple[str, Rgb, Rgb]
    rug: tuple[Rgb, Rgb] | None  # a woven rug of the room's own (not a product)
    curtain: Rgb | None
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Camera:
    """Level camera at eye height: where it stands, where on the plan it looks, lens on 36 mm."""

    x: float
    y: float
    z: float
    look_x: float
    look_y: float
    lens_mm: float


@dataclass(frozen=True)
class RoomPlan:
    """Everything that the renderer needs for one scene."""

    scene_id: str
    kind: str
    light: str
    width_m: float
    depth_m: float
    height_m: float
    window: Window
    finish: Finish
    camera: Camera
    focus: Box3
    placed: tuple[Placed, ...]
    seed: int

    @property
    def title(self) -> str:
        """For example: Living room, evening."""
        return f"{self.kind}, {self.light}"


def plan_rooms(items: Sequence[Item], count: int, seed: int) -> list[RoomPlan]:
    """The first `count` rooms of a seed. Later rooms prefer products that earlier ones lack."""
    picker = Picker(items, random.Random(seed))
    plans = []
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        for attempt in range(60):
            plan = plan_room(picker, kind, number, seed * 100_003 + number * 101 + attempt)
            if plan:
                plans.append(plan)
                picker.count(plan.placed)
                break
    return plans


def plan_room(picker: Picker, kind: str, number: int, seed: int) -> RoomPlan | None:
    """One room, or None where its main pieces did not fit or too little did."""
    rng = random.Random(seed)
    picker.rng = rng
    low_w, high_w, low_d, high_d = _SIZES[kind]
    width, depth, height = rng.uniform(low_w, high_w), rng.uniform(low_d, high_d), 2.6
    wall = rng.choice(("left", "right"))
    window = _window(wall, depth, kind, rng)
    camera = _camera(width, depth, wall, rng, 1.5 if kind in ("Kitchen", "Dining room") else 1.3)
    clear = [
        Box3(camera.x - 0.45, 0.0, 0.0, camera.x + 0.45, 0.95, 2.2),
        # Nothing tall right before the lens.
        Box3(0.9, 0.0, 0.95, width - 0.9, 1.5, 2.0),
        *_before(window, width),
    ]
    planner = Planner(width, depth, height, rng, clear)
    picker.here = planner.placed
    main = RECIPES[kind](planner, picker, wall)
    if main is None or len({p.item.product_id for p in planner.placed}) < MIN_PRODUCTS:
        return None
    if overlapping(planner.placed, tolerance_m=0.001):
        return None
    has_rug = any(p.item.category == "Rugs and mats" for p in planner.placed)
    rug = None if has_rug or kind == "Kitchen" or rng.random() < 0.25 else rng.choice(_RUGS)
    paint = rng.choice(_PAINTS[:7])
    tiled = [f for f in _FLOORS if f[0] in ("tiles", "concrete")]
    finish = Finish(
        paint=paint,
        accent=paint if rng.random() < 0.35 else rng.choice(_PAINTS),
        floor=rng.choice(tiled if kind == "Kitchen" else _FLOORS[:6]),
        rug=rug,
        curtain=None if kind == "Kitchen" or rng.random() < 0.2 else rng.choice(_CURTAINS),
        pictures=() if kind == "Kitchen" else _pictures(planner, rng),
    )
    return RoomPlan(
        scene_id=f"room-{number + 1:03d}",
        kind=kind,
        light=_LIGHTS[(number + number // len(KINDS)) % len(_LIGHTS)],
        width_m=width,
        depth_m=depth,
        height_m=height,
        window=window,
        finish=finish,
        camera=camera,
        focus=main.box,
        placed=tuple(planner.placed),
        seed=seed,
    )


def _window(wall: str, depth: float, kind: str, rng: random.Random) -> Window:
    sill = 1.1 if kind == "Kitchen" else rng.choice((0.9, 0.95, 0.55))
    middle, half = depth * rng.uniform(0.6, 0.68), rng.uniform(0.6, 0.85)
    return Window(wall, middle - half, middle + half, sill, 2.25)


def _before(window: Window, width: float) -> list[Box3]:
    """What stays free at a window: the space before it above its sill, and the curtains at its sides."""
    x0, x1 = (0.0, 0.3) if window.wall == "left" else (width - 0.3, width)
    c0, c1 = (0.0, 0.17) if window.wall == "left" else (width - 0.17, width)
    return [
        Box3(x0, window.y0, window.z0 + 0.12, x1, window.y1, window.z1),
        Box3(c0, window.y0 - CURTAIN_M, 0.0, c1, window.y0 + 0.05, 2.4),
        Box3(c0, window.y1 - 0.05, 0.0, c1, window.y1 + CURTAIN_M, 2.4),
    ]


def _pictures(planner: Planner, rng: random.Random) -> tuple[Picture, ...]:
    """Up to two panels at eye height where no furniture or lamp is in the way."""
    hung: list[Picture] = []
    taken = [p.box for p in planner.placed if p.box.y1 > planner.depth_m - 0.3]
    for _ in range(12):
        width, height = rng.choice(((0.9, 0.6), (0.5, 0.7), (0.6, 0.6), (0.4, 0.55)))
        x, z = rng.uniform(0.6, planner.width_m - 0.6), rng.uniform(1.5, 1.6)
        spot = Box3(x - width / 2, 0, z - height / 2, x + width / 2, 9, z + height / 2)
        if any(spot.overlaps(box, 0.12) for box in taken) or len(hung) == 2:
            continue
        hung.append(Picture(x, z, width, height, rng.choice(_RUGS)))
        taken.append(spot)
    return tuple(hung)


def _camera(width: float, depth: float, window_wall: str, rng: random.Random, eye_m: float) -> Camera:
    # Mostly from nearer the window wall, looking a little away from it: the furnished wall comes into view.
    lean = rng.uniform(-0.16, 0.2) * (1 if window_wall == "right" else -1)
    x = width * (0.5 + lean)
    return Camera(
        x=x,
        y=0.12,
        z=eye_m + rng.uniform(0.0, 0.15),
        look_x=width * 0.5 - (x - width * 0.5) * 0.35,
        look_y=depth,
        lens_mm=rng.uniform(22.0, 26.0),
    )
