"""Single acts of furnishing that several rooms share: a seat, storage, small things on a surface, lamps."""

from collections.abc import Callable, Sequence

from samples.render.geometry import Item, Placed
from samples.render.layout import WALL_GAP_M, Picker, Planner

Place = Callable[[Item], Placed | None]

_FURNITURE = {
    "Bookcases and shelves",
    "TV furniture",
    "Musical instruments",
    "Wardrobes",
    "Chests and bedside tables",
    "Radiators and fireplaces",
    "Stools and benches",
    "Boxes, bins and luggage",
}
_TOPS = {"Chests and bedside tables", "Bookcases and shelves"}
_COUNTERS = {"Kitchen cabinets", "Large appliances"}
_KITCHEN_ONLY = (
    "Knife block",
    "Paper towel holder",
    "Pot with utensils",
    "Large pan",
    "Chopping board",
    "Bread box",
    "Spice tower",
    "Oil servers",
)
_PLAIN_LAMPS = ("Fluorescent lamp", "Spot rail", "Ceiling fan")


def first(options: Sequence[Item], place: Place, tries: int = 12) -> Placed | None:
    """The first option that fits."""
    for item in options[:tries]:
        done = place(item)
        if done:
            return done
    return None


def opposite(wall: str) -> str:
    """The side wall over against a side wall."""
    return "left" if wall == "right" else "right"


def share_along_back(p: Planner, item: Item, x: float) -> float:
    """Where along the back wall an item's middle is at x."""
    free = p.width_m - item.width_m - 2 * WALL_GAP_M
    return min(1.0, max(0.0, (x - item.width_m / 2 - WALL_GAP_M) / free))


def side_seat(p: Planner, pick: Picker, table: Placed, side: int) -> Placed | None:
    """An armchair at the table's side, facing it."""
    reach = table.item.width_m / 2 + 0.4
    return first(
        pick.ranked("Armchairs", wide=1.15),
        lambda i: p.relative(i, table, side * (reach + i.depth_m / 2), -0.15, -90.0 * side),
    )


def storage(p: Planner, pick: Picker, wall: str, *categories: str, low: float = 0.0) -> Placed | None:
    """A piece of furniture against a wall, with a few things on its top."""
    options = pick.ranked(*categories, low=max(low, 0.3), wide=2.7)
    # What is narrower than this is no piece of furniture that fills a wall.
    done = first(
        [i for i in options if i.width_m > 0.35 and i.category in _FURNITURE and i.name != "Barrel"],
        lambda i: p.against(i, wall) if wall == "back" else p.against(i, wall, p.rng.uniform(0.55, 0.97)),
    )
    if done and done.item.category == "TV furniture":
        sets = [i for i in pick.ranked("TV and audio", wide=done.item.width_m) if i.name == "Television"]
        first(sets, lambda i: p.on(i, done, "middle"))
        scatter(p, pick, done, ("TV and audio",), 2, 0.5)
    elif done and done.item.height_m < 1.2 and done.item.category in _TOPS:
        scatter(p, pick, done, ("Vases and decoration", "Plants", "Table lamps", "TV and audio"), 2, 0.7)
    return done


def scatter(
    p: Planner,
    pick: Picker,
    support: Placed,
    categories: Sequence[str],
    count: int,
    wide: float,
    high: float = 0.75,
) -> None:
    """Up to `count` different small things on a surface."""
    for index in range(count):
        category = categories[index % len(categories)]
        options = [
            i
            for i in pick.ranked(category, high=high, wide=wide)
            if i.name not in _KITCHEN_ONLY or support.item.category in _COUNTERS
        ]
        first(options, lambda i: p.on(i, support))


def beside_lamp(p: Planner, pick: Picker, sofa: Placed) -> None:
    """Something at each side of a sofa: a floor lamp, a plant, or a small table with a lamp."""
    for side in (-1, 1):
        stand = first(
            pick.ranked("Floor lamps", "Chests and bedside tables", "Plants", low=0.4, wide=0.65),
            lambda i, s=side: p.beside(i, sofa, s, 0.1),  # type: ignore[misc]
        )
        if stand and stand.item.category == "Chests and bedside tables":
            first(pick.ranked("Table lamps", low=0.3, wide=0.45), lambda i, s=stand: p.on(i, s))  # type: ignore[misc]


def hang_on_walls(p: Planner, pick: Picker, side: str) -> None:
    """A wall lamp, and on the side wall a clock or a television, each at its own height."""
    lamps = pick.ranked("Wall lamps", on_wall=True)
    others = pick.ranked("Vases and decoration", "TV and audio", on_wall=True)
    if p.rng.random() < 0.6:
        first(lamps, lambda i: p.against(i, "back", p.rng.uniform(0.15, 0.85), z=i.elevation_m))
    else:
        first(lamps, lambda i: p.against(i, side, p.rng.uniform(0.6, 0.9), z=i.elevation_m))
    first(others, lambda i: p.against(i, side, p.rng.uniform(0.6, 0.9), z=i.elevation_m))


def corner_plant(p: Planner, pick: Picker) -> None:
    """Tall plants in the far corners."""
    for at in (0.0, 1.0):
        first(
            pick.ranked("Plants", low=0.55, wide=1.1),
            lambda i, a=at: p.against(i, "back", a),  # type: ignore[misc]
        )


def radiator(p: Planner, pick: Picker, window: str) -> None:
    """Under the window."""
    low = pick.ranked("Radiators and fireplaces", high=0.84)
    first(low, lambda i: p.against(i, window, 0.6, z=min(0.12, i.elevation_m)))


def ceiling_lamp(
    p: Planner, pick: Picker, over: Placed, low: float = 0.0, clear_back: float = 0.0, plain: bool = False
) -> Placed | None:
    """Hung over a thing, or `clear_back` metres before it where its top would be in the way."""
    lamps = pick.ranked("Ceiling lamps", low=low, high=min(1.0, p.height_m - 1.75))
    lamps += pick.ranked("Ceiling lamps", low=low, high=min(1.0, p.height_m - 1.75), on_wall=True)
    return first(
        [i for i in lamps if plain or i.name not in _PLAIN_LAMPS],
        lambda i: p.hang(i, over.x, over.y - clear_back),
    )


def lay_rug(p: Planner, pick: Picker, x: float, y: float) -> Placed | None:
    """A rug under what stands there."""
    rugs = [i for i in pick.ranked("Rugs and mats") if i.width_m > 0.75]
    return first(rugs, lambda i: p.lay_rug(i, x, y), 1)


def put_on_floor(p: Planner, item: Item) -> Placed | None:
    """Anywhere on the floor."""
    for _ in range(30):
        x, y = p.rng.uniform(0.6, p.width_m - 0.6), p.rng.uniform(1.3, p.depth_m - 0.8)
        done = p.put(Placed(item, x, y, 0.0, p.rng.choice((0.0, 90.0, -90.0, 0.0))))
        if done:
            return done
    return None


def table_for_two(p: Planner, pick: Picker) -> None:
    """A small table with chairs and a few things on it."""
    tables = pick.ranked("Dining tables", low=0.6, high=0.95, wide=1.25)
    spot = (p.width_m * p.rng.choice((0.32, 0.68)), p.depth_m * 0.46)
    table = first(tables, lambda i: p.put(Placed(i, *spot, 0.0, 0.0)))
    if table:
        chairs = pick.ranked("Dining chairs", wide=0.65)
        p.around(chairs[0], table, 3)
        scatter(p, pick, table, ("Tableware and kitchenware", "Plants"), 3, 0.45)
