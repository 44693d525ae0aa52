from __future__ import annotations

import math
from pathlib import Path

import pytest

import ui.box_picker
from services.imaging import Box, BoxRefused
from ui.box_picker import DashedBox, Picture, parse_box, picker_value


def sent(*corners: object) -> dict[str, object]:
    return dict(zip(("x_min", "y_min", "x_max", "y_max"), corners, strict=False))


def test_a_box_is_taken_as_drawn() -> None:
    assert parse_box(sent(10, 20.5, 100, 200), 640, 480) == Box(10, 20.5, 100, 200)


def test_a_box_partly_outside_is_clipped() -> None:
    assert parse_box(sent(-50, -50, 100, 900), 640, 480) == Box(0, 0, 100, 480)


@pytest.mark.parametrize(
    "corners",
    [
        (10, 10, 100),
        (10, 10, 100, math.nan),
        (10, 10, math.inf, 100),
        (100, 10, 10, 100),
        (10, 10, 14, 100),
        (700, 10, 800, 100),
        ("10", 10, 100, 100),
        (True, 10, 100, 100),
        (None, None, None, None),
        ([], {}, 100, 100),
    ],
)
def test_a_box_that_makes_no_sense_is_refused_in_one_sentence(corners: tuple[object, ...]) -> None:
    with pytest.raises(BoxRefused) as refused:
        parse_box(sent(*corners), 640, 480)
    assert refused.value.message.endswith(".")


def test_dashed_boxes_and_the_taken_one_reach_the_browser() -> None:
    dashed = (DashedBox("r1", Box(1, 2, 30, 40), "sofa"), DashedBox("r2", Box(5, 6, 70, 80)))

    value = picker_value(Picture("p", "photo/p", 640, 480, "Bedroom", dashed, "r2"), "", 10, 1)

    assert [region["box"] for region in value["regions"]] == [[1, 2, 30, 40], [5, 6, 70, 80]]
    assert (value["region"], value["box"]) == ("r2", [5, 6, 70, 80])


def test_a_message_alone_leaves_the_picture() -> None:
    assert picker_value(None, "Too big.", 10, 1)["id"] == ""


@pytest.mark.parametrize("name", ["picker.html", "picker.css"])
def test_templates_hold_no_placeholder(name: str) -> None:
    # gradio fills ${...} in as code and does not escape it, even inside values of {{...}}.
    template = (Path(ui.box_picker.__file__).parent / name).read_text(encoding="utf-8")
    assert not any(mark in template for mark in ("${", "{{", "`", "\\"))
