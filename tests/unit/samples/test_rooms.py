import pytest

from samples.render.geometry import is_rug, overlapping
from samples.render.rooms import KINDS, MIN_PRODUCTS, RoomPlan, plan_rooms
from tests.unit.samples.furniture import catalog_items

ROOMS = 30


@pytest.fixture(scope="module")
def plans() -> list[RoomPlan]:
    return plan_rooms(catalog_items(), ROOMS, seed=3)


def test_every_kind_of_room_can_be_furnished(plans: list[RoomPlan]) -> None:
    assert {p.kind for p in plans} == set(KINDS)
    assert len(plans) >= ROOMS * 0.9
    assert all(len({p.item.product_id for p in plan.placed}) >= MIN_PRODUCTS for plan in plans)


def test_no_two_things_share_space(plans: list[RoomPlan]) -> None:
    for plan in plans:
        assert not overlapping(plan.placed, tolerance_m=0.001), plan.scene_id


def test_everything_is_inside_the_room(plans: list[RoomPlan]) -> None:
    for plan in plans:
        for placed in plan.placed:
            box = placed.box
            assert min(box.x0, box.y0) >= -1e-6
            assert box.x1 <= plan.width_m + 1e-6
            assert box.y1 <= plan.depth_m + 1e-6
            assert box.z1 <= plan.height_m + 1e-6


def test_nothing_floats(plans: list[RoomPlan]) -> None:
    for plan in plans:
        for placed in plan.placed:
            if placed.support is not None:
                support = plan.placed[placed.support]
                assert placed.z == pytest.approx(support.box.z1), (plan.scene_id, placed.item.product_id)
                continue
            on_floor = placed.z == 0 or is_rug(placed.item)
            hung = placed.box.z1 == pytest.approx(plan.height_m, abs=0.01)
            gaps = (placed.box.x0, plan.width_m - placed.box.x1, plan.depth_m - placed.box.y1)
            on_wall = min(gaps) < 0.03
            assert on_floor or hung or on_wall, (plan.scene_id, placed.item.product_id)


def test_the_camera_stands_in_the_clear(plans: list[RoomPlan]) -> None:
    for plan in plans:
        for placed in plan.placed:
            box = placed.box
            inside = box.x0 < plan.camera.x < box.x1 and box.y0 < plan.camera.y < box.y1
            assert not inside or box.z0 > plan.camera.z, plan.scene_id


def test_the_same_seed_plans_the_same_rooms() -> None:
    assert plan_rooms(catalog_items(), 4, seed=11) == plan_rooms(catalog_items(), 4, seed=11)


def test_later_rooms_show_other_products(plans: list[RoomPlan]) -> None:
    shown = {p.item.product_id for plan in plans for p in plan.placed}
    assert len(shown) > 150
