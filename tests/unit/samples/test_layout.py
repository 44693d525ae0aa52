import random

import pytest

from samples.render.geometry import Box3, Item, Placed, level_top, overlapping
from samples.render.layout import Picker, Planner
from tests.unit.samples.furniture import flat_item

SOFA = flat_item("sofa", 2.0, 0.9, 0.8, "Sofas")
TABLE = flat_item("table", 1.2, 0.6, 0.45, "Coffee tables")
CHAIR = flat_item("chair", 0.45, 0.5, 0.9, "Dining chairs")
VASE = flat_item("vase", 0.2, 0.2, 0.3, "Vases and decoration")


@pytest.fixture
def planner() -> Planner:
    return Planner(4.0, 4.0, 2.6, random.Random(1))


@pytest.mark.parametrize(
    ("wall", "yaw", "side"), [("back", 0, "y1"), ("left", 90, "x0"), ("right", -90, "x1")]
)
def test_things_against_a_wall_turn_their_back_to_it(
    planner: Planner, wall: str, yaw: float, side: str
) -> None:
    sofa = planner.against(SOFA, wall, 0.5)
    assert sofa is not None
    assert sofa.yaw_deg == yaw
    assert getattr(sofa.box, side) == pytest.approx(0.02 if side == "x0" else 3.98)


def test_a_table_before_a_sofa_leaves_room_for_legs(planner: Planner) -> None:
    sofa = planner.against(SOFA, "left", 0.5)
    assert sofa is not None
    table = planner.in_front(TABLE, sofa, 0.4)
    assert table is not None
    assert table.box.x0 - sofa.box.x1 == pytest.approx(0.4)
    assert table.y == pytest.approx(sofa.y)


def test_chairs_round_a_table_face_it_and_keep_apart(planner: Planner) -> None:
    table = planner.put(Placed(flat_item("t", 1.6, 0.9, 0.75, "Dining tables"), 2.0, 2.0, 0.0, 0.0))
    assert table is not None
    chairs = planner.around(CHAIR, table, 6)
    assert len(chairs) == 6
    assert not overlapping(planner.placed)
    for chair in chairs:
        # A front looks along -y at yaw 0.
        if chair.yaw_deg == 0:
            assert chair.y > table.box.y1
        if chair.yaw_deg == 180:
            assert chair.y < table.box.y0
        if chair.yaw_deg == 90:
            assert chair.x < table.box.x0
        if chair.yaw_deg == -90:
            assert chair.x > table.box.x1


def test_small_things_stand_exactly_on_the_surface(planner: Planner) -> None:
    table = planner.put(Placed(TABLE, 2.0, 2.0, 0.0, 90.0))
    assert table is not None
    vases = [planner.on(flat_item(f"v{n}", 0.2, 0.2, 0.3), table) for n in range(3)]
    assert all(v and v.z == pytest.approx(0.45) for v in vases)
    assert not overlapping(planner.placed)
    for vase in vases:
        assert vase is not None
        assert table.box.x0 <= vase.box.x0
        assert vase.box.x1 <= table.box.x1


def test_nothing_stands_where_the_top_is_not_level() -> None:
    tilted = tuple((40.0 + row,) * 24 for row in range(24))
    item = Item("slope", "Desks", "slope", 1.0, 1.0, 0.64, 0.0, tilted)
    assert level_top(item, -0.2, -0.2, 0.2, 0.2) is None
    planner = Planner(4.0, 4.0, 2.6, random.Random(1))
    slope = planner.put(Placed(item, 2.0, 2.0, 0.0, 0.0))
    assert slope is not None
    assert planner.on(VASE, slope) is None


def test_holes_and_thin_air_carry_nothing() -> None:
    ring = tuple(tuple(-1.0 if 8 <= c < 16 else 45.0 for c in range(24)) for _ in range(24))
    item = Item("ring", "Desks", "ring", 1.0, 1.0, 0.45, 0.0, ring)
    assert level_top(item, -0.1, -0.1, 0.1, 0.1) is None
    assert level_top(item, -0.5, -0.1, -0.3, 0.1) == 45.0


def test_a_taken_spot_and_a_window_are_refused(planner: Planner) -> None:
    assert planner.against(SOFA, "back", 0.5)
    assert planner.against(CHAIR, "back", 0.5) is None
    planner.keep_clear.append(Box3(0, 0, 0, 0.3, 4, 2))
    assert planner.against(CHAIR, "left") is None


def test_a_lamp_hangs_from_the_ceiling(planner: Planner) -> None:
    lamp = planner.hang(flat_item("lamp", 0.4, 0.4, 0.6, "Ceiling lamps"), 2.0, 2.0)
    assert lamp is not None
    assert 2.59 < lamp.box.z1 <= 2.6


def test_rugs_lie_under_furniture_and_barely_stand_proud(planner: Planner) -> None:
    rug = planner.lay_rug(flat_item("rug", 2.0, 2.0, 0.025, "Rugs and mats"), 2.0, 2.0)
    assert rug is not None
    assert 0 < rug.box.z1 < 0.01
    assert planner.put(Placed(TABLE, 2.0, 2.0, 0.0, 0.0))


def test_the_picker_prefers_what_no_room_has_shown() -> None:
    picker = Picker([SOFA, flat_item("other", 2.0, 0.9, 0.8, "Sofas")], random.Random(1))
    picker.count([Placed(SOFA, 0, 0, 0, 0)])
    assert [i.product_id for i in picker.ranked("Sofas")] == ["other", "sofa"]


def test_the_picker_offers_nothing_twice_to_one_room() -> None:
    picker = Picker([SOFA], random.Random(1))
    picker.here = [Placed(SOFA, 0, 0, 0, 0)]
    assert picker.ranked("Sofas") == []
