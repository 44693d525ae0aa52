"""Boxes: lines 52 to 55 of the battery, without gRPC."""

import math

import pytest

from services.imaging import Box, BoxRefused


def refusal(box: Box) -> BoxRefused:
    with pytest.raises(BoxRefused) as caught:
        box.clipped(100, 80)
    return caught.value


@pytest.mark.parametrize("box", [Box(50, 10, 20, 40), Box(10, 50, 40, 20), Box(10, 10, 10, 40)])
def test_reversed_or_empty_box_is_refused(box: Box) -> None:
    assert refusal(box).reason == "BAD_BOX"


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", range(4))
def test_coordinates_must_be_finite(bad: float, side: int) -> None:
    coordinates = [10.0, 10.0, 40.0, 40.0]
    coordinates[side] = bad
    assert refusal(Box(*coordinates)).reason == "BAD_BOX"


def test_box_partly_outside_is_clipped() -> None:
    assert Box(-20, -5, 30, 200).clipped(100, 80) == Box(0, 0, 30, 80)


@pytest.mark.parametrize("box", [Box(-50, 10, -5, 40), Box(100, 10, 130, 40), Box(10, 80, 40, 120)])
def test_box_without_overlap_is_refused(box: Box) -> None:
    assert refusal(box).reason == "BOX_OUTSIDE"


@pytest.mark.parametrize("box", [Box(10, 10, 17.9, 60), Box(10, 10, 60, 17), Box(-100, 10, 7, 60)])
def test_small_box_is_refused_and_a_bigger_one_asked_for(box: Box) -> None:
    refused = refusal(box)
    assert refused.reason == "BOX_TOO_SMALL"
    assert "draw a bigger" in refused.message


def test_box_of_exactly_the_minimum_is_accepted() -> None:
    assert Box(10, 10, 18, 18).clipped(100, 80) == Box(10, 10, 18, 18)
