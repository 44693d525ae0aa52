from __future__ import annotations

from services.search.client import Box, Image, Region, RegionHit, Scene, SceneHit, ScenePage
from ui.rooms import example_strip, near_best, room_cards

IMAGE = Image("sha256:" + "1" * 64, 640, 480)


def hit(scene_id: str, *exact: bool) -> SceneHit:
    regions = tuple(
        RegionHit(Region(f"{scene_id}-{n}", scene_id, Box(10 * n, 20, 10 * n + 50, 90)), 0.9 - n / 10, is_it)
        for n, is_it in enumerate(exact)
    )
    return SceneHit(Scene(scene_id, IMAGE, {"room": "Bedroom <b>"}), 0.9, regions)


def test_boxes_are_drawn_in_the_frame_of_the_photo() -> None:
    markup = room_cards([hit("S-1", True)], [])

    assert 'viewBox="0 0 640 480"' in markup
    assert 'class="exact" x="0" y="20" width="50" height="70"' in markup


def test_exact_rooms_come_before_rooms_with_look_alikes() -> None:
    markup = room_cards([hit("S-2", True)], [hit("S-1", False)])

    assert markup.index('data-scene="S-2"') < markup.index('data-scene="S-1"')
    assert 'class="alike"' in markup


def test_a_room_opens_at_its_most_similar_region() -> None:
    assert 'data-region="S-2-0"' in room_cards([], [hit("S-2", False, False)])


def test_only_boxes_nearly_as_similar_as_the_best_are_drawn() -> None:
    shown = near_best(hit("S-1", False, False, False))  # scores 0.9, 0.8 and 0.7
    assert [region.score for region in shown.regions] == [0.9, 0.8]


def test_room_names_are_escaped() -> None:
    assert "Bedroom <b>" not in room_cards([hit("S-1", True)], [])
    assert "Bedroom &lt;b&gt;" in example_strip(ScenePage((hit("S-1", True).scene,), ""))


def test_a_catalog_without_rooms_has_no_strip() -> None:
    assert example_strip(ScenePage((), "")) == ""
