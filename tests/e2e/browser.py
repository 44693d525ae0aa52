"""What a visitor does: choose a photo, draw a box, read the answer."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from playwright.sync_api import Locator, Page, expect

CHROMIUM = os.environ.get("INSITU_TEST_CHROMIUM", "/usr/bin/chromium")
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
Point = tuple[float, float]

# The machine may be busy with other things; a test that passes does not wait.
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Drawn:
    """A box as drawn on the screen, in fractions of the photo, and how fine a display pixel is."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float
    display_px: float  # one display pixel, in pixels of the full-size photo


def upload(page: Page, data: bytes, name: str = "room.jpg", mime: str = "image/jpeg") -> None:
    """Choose a file, as the file dialog would."""
    page.locator(".bp-file").set_input_files({"name": name, "mimeType": mime, "buffer": data})


def upload_photo(page: Page, data: bytes, name: str = "room.jpg") -> None:
    """Choose a good photo and wait until it is shown."""
    upload(page, data, name)
    expect(page.locator(".bp")).to_have_attribute("data-state", "photo")
    expect(page.locator(".bp-name")).to_have_text(name)
    page.wait_for_function(
        "() => { const i = document.querySelector('.bp-photo'); return i.complete && i.naturalWidth; }"
    )


def overlay(page: Page) -> Locator:
    """The surface that boxes are drawn on."""
    return page.locator(".bp-overlay")


def at(page: Page, fraction: Point) -> Point:
    """A point of the photo, in page coordinates; rounded, as a real pointer's are."""
    shown = overlay(page).bounding_box()
    assert shown
    return (
        float(round(shown["x"] + fraction[0] * shown["width"])),
        float(round(shown["y"] + fraction[1] * shown["height"])),
    )


def drag(page: Page, start: Point, end: Point) -> None:
    """Drag with the mouse between two points of the page."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.mouse.move(*end)
    page.mouse.up()


def touch_drag(page: Page, start: Point, end: Point) -> None:
    """Drag with one finger between two points of the page."""
    session = page.context.new_cdp_session(page)
    points = [start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), end]
    for kind, point in zip(("touchStart", "touchMove", "touchMove"), points, strict=True):
        session.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": point[0], "y": point[1]}]}
        )
    # A finger rests before it lifts; lifted in full motion it flings, and Chromium drops a tap on a fling.
    page.wait_for_timeout(150)
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": end[0], "y": end[1]}]}
    )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()


def box_on_page(page: Page) -> list[int]:
    """The box, as the page says it: x_min, y_min, x_max, y_max in full-size pixels."""
    return [int(part) for part in (page.locator(".bp").get_attribute("data-box") or "").split()]


def results(page: Page) -> Locator:
    """The cards of products that were found."""
    return page.locator("#results .card")


def wait_for_results(page: Page) -> None:
    """Wait until an answer is shown."""
    expect(page.locator("#status")).to_have_text(re.compile(r"\d+ products? in \d"))
    results(page).first.wait_for()


def open_example(page: Page, number: int = 0) -> None:
    """Open an example room."""
    page.locator("#examples .example").nth(number).click()
    expect(page.locator(".bp")).to_have_attribute("data-state", "photo")
    page.locator(".bp-region").first.wait_for()
