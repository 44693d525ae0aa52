"""Proposed boxes."""

from __future__ import annotations

import pytest

from services.search.proposals import propose_boxes


@pytest.mark.parametrize("size", [(1024, 768), (768, 1024), (4000, 500), (60, 60), (8, 8)])
def test_boxes_lie_inside_the_photo_and_fit_one_embedding_call(size: tuple[int, int]) -> None:
    boxes = propose_boxes(*size)
    assert 1 <= len(boxes) <= 63
    assert len(set(boxes)) == len(boxes)
    for box in boxes:
        assert box == box.clipped(*size)


def test_boxes_of_several_sizes_and_shapes_cover_the_photo() -> None:
    boxes = propose_boxes(1200, 900)
    assert len({(box.width, box.height) for box in boxes}) == 5
    assert {box.width > 1.5 * box.height for box in boxes} == {True, False}
    for x in range(5, 1200, 50):
        for y in range(5, 900, 50):
            around = [b for b in boxes if b.x_min <= x < b.x_max and b.y_min <= y < b.y_max]
            assert len(around) >= 3
