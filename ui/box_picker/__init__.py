"""A photo on which a box is drawn, moved and resized by mouse, touch or keyboard.

The browser side is picker.html, picker.css and the scripts. It keeps the box in pixels of
the full-size upright image whatever the size on screen, and sends plain numbers, which
`parse_box` checks: nothing that a browser sends is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from services.imaging import Box, BoxRefused

_HERE = Path(__file__).parent
# One script in the browser: they share their names.
SCRIPTS = ("state.js", "drawing.js", "commit.js", "pointer.js", "keyboard.js", "upload.js", "show.js")


@dataclass(frozen=True)
class DashedBox:
    """A box that one click takes."""

    region_id: str
    box: Box
    label: str = ""


@dataclass(frozen=True)
class Picture:
    """What the picker shows.

    Attributes:
        picture_id: fresh for every photo; comes back with every box, so that late ones are known.
        source: address of the picture, usually a data URL of a reduced JPEG.
        width_px, height_px: size of the full-size upright image, the frame of all boxes.
        name: shown above the photo, as text.
        dashed: boxes that one click takes.
        taken: the region of `dashed` that is selected at first, or "".
    """

    picture_id: str
    source: str
    width_px: int
    height_px: int
    name: str
    dashed: tuple[DashedBox, ...] = ()
    taken: str = ""


def box_picker(max_upload_bytes: int, **layout: Any) -> gr.HTML:
    """The component. Its events: ``photo``, ``box``, ``clear``; their data is described in state.js."""
    return gr.HTML(
        value=picker_value(None, "", max_upload_bytes, 0),
        # The template holds no value at all: gradio runs ${...} inside filled-in values as code.
        html_template=(_HERE / "picker.html").read_text(encoding="utf-8"),
        css_template=(_HERE / "picker.css").read_text(encoding="utf-8"),
        js_on_load="\n".join((_HERE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        apply_default_css=False,
        **layout,
    )


def picker_value(picture: Picture | None, message: str, max_upload_bytes: int, serial: int) -> dict[str, Any]:
    """The component's value: a new picture, or only a message above the old one when `picture` is None.

    `serial` must change from call to call, because the browser ignores a value equal to the last.
    """
    value: dict[str, Any] = {
        "id": "",
        "message": message,
        "max_upload_bytes": max_upload_bytes,
        "serial": serial,
    }
    if picture is None:
        return value
    dashed = [
        {"id": each.region_id, "box": _corners(each.box), "label": each.label} for each in picture.dashed
    ]
    taken = next((each.box for each in picture.dashed if each.region_id == picture.taken), None)
    return value | {
        "id": picture.picture_id,
        "src": picture.source,
        "width": picture.width_px,
        "height": picture.height_px,
        "name": picture.name,
        "alt": f"Room photo {picture.name}",
        "regions": dashed,
        "region": picture.taken,
        "box": _corners(taken) if taken else None,
    }


def parse_box(data: Mapping[str, object], width_px: int, height_px: int) -> Box:
    """The box that a browser sent, clipped to the full-size image.

    Raises:
        BoxRefused: a coordinate is missing or no finite number, or the box is reversed, outside or too small.
    """
    values = []
    for name in ("x_min", "y_min", "x_max", "y_max"):
        value = data.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BoxRefused("BAD_BOX", "The box needs four finite numbers: draw it again.")
        values.append(float(value))
    return Box(*values).clipped(width_px, height_px)


def _corners(box: Box) -> list[float]:
    return [box.x_min, box.y_min, box.x_max, box.y_max]
