"""What stands where, room by room: one function a kind of room, each a list of sensible placements.

A recipe gets an empty `Planner`, a `Picker` and the wall that has the window. It returns the thing the room
is about, or None where the main pieces did not fit and the room should be tried again.
"""

from collections.abc import Callable

from samples.render.geometry import Placed
from samples.render.layout import WALL_GAP_M, Picker, Planner
from samples.render.pieces import (
    beside_lamp,
    ceiling_lamp,
    corner_plant,
    first,
    hang_on_walls,
    lay_rug,
    opposite,
    put_on_floor,
    radiator,
    scatter,
    share_along_back,
    side_seat,
    storage,
    table_for_two,
)

Recipe = Callable[[Planner, Picker, str], Placed | None]


def living_room(p: Planner, pick: Picker, window: str) -> Placed | None:
    """Sofa on the back wall, coffee table before it, armchair, storage on the wall without window."""
    other = opposite(window)
    sofa = first(
        pick.ranked("Sofas", "Corner sofas", wide=p.width_m - 0.9),
        lambda i: p.against(i, "back", p.rng.uniform(0.35, 0.65)),
    )
    if not sofa:
        return None
    low = [i for i in pick.ranked("Coffee tables") if i.depth_m < 1.2]
    table = first(low, lambda i: p.in_front(i, sofa, 0.38))
    if table:
        lay_rug(p, pick, table.x, table.y)
        side_seat(p, pick, table, 1 if other == "right" else -1)
        if p.rng.random() < 0.6:
            side_seat(p, pick, table, -1 if other == "right" else 1)
        scatter(p, pick, table, ("Vases and decoration", "Plants", "Tableware and kitchenware"), 3, 0.42)
    storage(p, pick, other, "Bookcases and shelves", "TV furniture", "Musical instruments")
    beside_lamp(p, pick, sofa)
    corner_plant(p, pick)
    radiator(p, pick, window)
    storage(p, pick, other, "Chests and bedside tables", "Boxes, bins and luggage")
    hang_on_walls(p, pick, other)
    ceiling_lamp(p, pick, table or sofa)
    return sofa


def bedroom(p: Planner, pick: Picker, window: str) -> Placed | None:
    """Bed head on the back wall, bedside tables with lamps, wardrobe on the wall without window."""
    other = opposite(window)
    beds = [i for i in pick.ranked("Beds") if i.depth_m > i.width_m * 0.8]
    bed = first(beds, lambda i: p.against(i, "back", p.rng.uniform(0.4, 0.6)))
    if not bed:
        return None
    bedside = first(
        pick.ranked("Chests and bedside tables", high=0.62, wide=0.6), lambda i: p.beside(i, bed, -1)
    )
    if bedside:
        twin = p.beside(bedside.item, bed, 1)
        for stand in filter(None, (bedside, twin)):
            lamp = first(
                pick.ranked("Table lamps", low=0.25, high=0.85, wide=0.45),
                lambda i, s=stand: p.on(i, s, "back"),  # type: ignore[misc]
            )
            if not lamp:
                scatter(p, pick, stand, ("Vases and decoration", "Plants"), 1, 0.3)
    storage(p, pick, other, "Wardrobes")
    chest = storage(p, pick, other, "Chests and bedside tables", low=0.6)
    if chest:
        scatter(p, pick, chest, ("Vases and decoration", "Plants", "TV and audio"), 3, 0.5)
    lay_rug(p, pick, bed.x, bed.box.y0 - 0.2)
    low = pick.ranked("Stools and benches", "Boxes, bins and luggage", high=0.6)
    first([i for i in low if i.width_m > 0.35], lambda i: p.in_front(i, bed, 0.1))
    first(pick.ranked("Armchairs"), lambda i: p.against(i, window, p.rng.uniform(0.45, 0.8)))
    corner_plant(p, pick)
    radiator(p, pick, window)
    hang_on_walls(p, pick, other)
    ceiling_lamp(p, pick, bed)
    return bed


def dining_room(p: Planner, pick: Picker, window: str) -> Placed | None:
    """Table in the middle with chairs of one kind, a lamp above it, a sideboard on the back wall."""
    other = opposite(window)
    tables = [i for i in pick.ranked("Dining tables", low=0.6, high=0.95, wide=2.4) if i.width_m > 0.75]
    table = first(
        tables, lambda i: p.put(Placed(i, p.width_m * p.rng.uniform(0.45, 0.55), p.depth_m * 0.6, 0.0, 0.0))
    )
    if not table:
        return None
    chairs = pick.ranked("Dining chairs", wide=0.7)
    seats = p.around(chairs[0], table, 6 if table.item.width_m > 1.3 else 4)
    if len(seats) < 2:
        return None
    lay_rug(p, pick, table.x, table.y)
    # Keep the window side free for light; tall storage goes opposite and behind.
    back = storage(p, pick, "back", "Bookcases and shelves", "Chests and bedside tables")
    if back and back.item.height_m < 1.2:
        scatter(p, pick, back, ("Table lamps", "Vases and decoration", "Plants"), 3, 0.7)
    storage(p, pick, other, "Chests and bedside tables", "Musical instruments", "Radiators and fireplaces")
    scatter(p, pick, table, ("Tableware and kitchenware", "Plants", "Vases and decoration"), 4, 0.45)
    corner_plant(p, pick)
    radiator(p, pick, window)
    hang_on_walls(p, pick, other)
    ceiling_lamp(p, pick, table, low=0.35)
    return table


def office(p: Planner, pick: Picker, window: str) -> Placed | None:
    """Desk on the back wall, its chair before it, computer, lamp, shelves, a seat for a visitor."""
    other = opposite(window)
    desk = first(pick.ranked("Desks", wide=2.4), lambda i: p.against(i, "back", p.rng.uniform(0.35, 0.65)))
    if not desk:
        return None
    seats = [i for i in pick.ranked("Office chairs") if "writing board" not in i.name]
    chair = first(seats, lambda i: p.in_front(i, desk, 0.04, 180.0))
    if not chair:
        return None
    first(pick.ranked("Computers and phones", low=0.18, wide=0.6), lambda i: p.on(i, desk, "middle"))
    first(pick.ranked("Table lamps", wide=0.5), lambda i: p.on(i, desk, "back"))
    scatter(p, pick, desk, ("Computers and phones", "TV and audio", "Vases and decoration"), 3, 0.5, 0.4)
    storage(p, pick, other, "Bookcases and shelves")
    cabinet = storage(p, pick, other, "Chests and bedside tables", "Boxes, bins and luggage")
    if cabinet:
        scatter(p, pick, cabinet, ("Computers and phones", "Plants", "TV and audio"), 1, 0.5)
    first(pick.ranked("Boxes, bins and luggage", high=0.8, wide=0.5), lambda i: p.beside(i, desk, 1))
    first(pick.ranked("Armchairs", wide=1.05), lambda i: p.against(i, window, p.rng.uniform(0.5, 0.85)))
    lay_rug(p, pick, chair.x, chair.y)
    corner_plant(p, pick)
    radiator(p, pick, window)
    hang_on_walls(p, pick, other)
    ceiling_lamp(p, pick, desk, clear_back=1.0, plain=True)
    return desk


def nursery(p: Planner, pick: Picker, window: str) -> Placed | None:
    """A child's bed, a small table with chairs, shelves and toys on the floor."""
    other = opposite(window)
    named = pick.ranked("Children's furniture")
    beds = [i for i in named if max(i.width_m, i.depth_m) > 0.8 and "bed" in i.name.lower() + i.product_id]
    beds += [i for i in named if i.name in ("Cot", "Cradle")]
    p.rng.shuffle(beds)
    bed = first(beds, lambda i: p.against(i, "back", p.rng.choice((0.05, 0.95, 0.5))))
    if not bed:
        return None
    shelves = [i for i in named if i.name in ("Child's shelves", "Changing table")]
    first(shelves[:1], lambda i: p.against(i, other, p.rng.uniform(0.6, 0.95)))
    shelf = first(shelves[1:], lambda i: p.against(i, "back"))
    shelf = shelf or storage(p, pick, "back", "Bookcases and shelves", "Chests and bedside tables", low=0.6)
    if shelf:
        scatter(p, pick, shelf, ("Toys and games",), 2, 0.5)
    small = next((i for i in named if i.name == "Child's table"), None)
    table = p.put(Placed(small, p.width_m * 0.5, p.depth_m * 0.5, 0.0, 0.0)) if small else None
    if table:
        chairs = [i for i in named if i.name == "Child's chair"]
        p.around(p.rng.choice(chairs), table, 2)
        scatter(p, pick, table, ("Toys and games",), 2, 0.4)
    lay_rug(p, pick, p.width_m * 0.5, p.depth_m * 0.5)
    for _ in range(4):
        first(pick.ranked("Toys and games", low=0.08), lambda i: put_on_floor(p, i))
    first(pick.ranked("Armchairs", wide=1.0), lambda i: p.against(i, window, p.rng.uniform(0.5, 0.9)))
    corner_plant(p, pick)
    radiator(p, pick, window)
    ceiling_lamp(p, pick, bed, clear_back=0.9)
    return bed


def kitchen(p: Planner, pick: Picker, window: str) -> Placed | None:
    """A row of cabinets and appliances along the back wall, wall cabinets above, a table in front."""
    x, row = 0.03, list[Placed]()
    base = [i for i in pick.ranked("Kitchen cabinets", high=1.3) if "sland" not in i.name]
    tall = pick.ranked("Large appliances", low=1.1) + pick.ranked("Kitchen cabinets", low=1.9)
    low = pick.ranked("Large appliances", high=1.0, wide=1.1)
    sink = [i for i in base if "ink" in i.name]
    rest = [i for i in base if "ink" not in i.name]
    queue = [*tall[:1], *rest[:1], *sink[:1], *low[:1], *rest[1:2], *low[1:2], *rest[2:3]]
    for item in queue:
        y = p.depth_m - WALL_GAP_M - item.depth_m / 2
        done = p.put(Placed(item, x + item.width_m / 2, y, 0.0, 0.0), gap=0.0)
        if done:
            row.append(done)
            x += item.width_m + 0.006
    if len(row) < 4:
        return None
    upper = pick.ranked("Kitchen cabinets", on_wall=True)
    for under in row:
        if under.item.height_m < 1.0 and under.item.category == "Kitchen cabinets":
            spot = 0.5 if not upper else share_along_back(p, upper[0], under.x)
            first(upper, lambda i, s=spot: p.against(i, "back", s, z=1.45, gap=0.0), 1)  # type: ignore[misc]
            upper = upper[1:] + upper[:1]
    for under in [u for u in row if "ink" not in u.item.name]:
        scatter(p, pick, under, ("Small appliances", "Tableware and kitchenware"), 2, 0.6)
    table_for_two(p, pick)
    storage(p, pick, opposite(window), "Stools and benches", "Boxes, bins and luggage")
    corner_plant(p, pick)
    radiator(p, pick, window)
    ceiling_lamp(p, pick, row[len(row) // 2], clear_back=1.3, plain=True)
    return row[1]


RECIPES: dict[str, Recipe] = {
    "Living room": living_room,
    "Bedroom": bedroom,
    "Dining room": dining_room,
    "Office": office,
    "Nursery": nursery,
    "Kitchen": kitchen,
}
