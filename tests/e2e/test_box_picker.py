"""The box that reaches the search service is the box that was drawn, whatever the photo and the hand."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from services.imaging import Box
from tests.battery_images import big_jpeg, encode, exif, jpeg, photo, stored_turned
from tests.e2e.browser import (
    at,
    box_on_page,
    drag,
    open_example,
    overlay,
    results,
    touch_drag,
    upload_photo,
    wait_for_results,
)
from tests.e2e.conftest import RunningPage
from ui.photo import QUERY_SIDE_PX

START, END = (0.2, 0.25), (0.7, 0.8)


def rotated() -> bytes:
    return encode(stored_turned(photo(900, 1200), 6), exif=exif(6))


PHOTOS: dict[str, tuple[Callable[[], bytes], int, int]] = {
    "landscape": (lambda: jpeg(1200, 800), 1200, 800),
    "portrait": (lambda: jpeg(700, 1300), 700, 1300),
    "EXIF-rotated": (rotated, 900, 1200),
    "6000 px": (lambda: big_jpeg(6000, 4000), 6000, 4000),
}


def queried_box(running_page: RunningPage, width_px: int, height_px: int) -> Box:
    """The box that the service got, in full-size pixels."""
    box = running_page.last_photo_query().box
    assert box
    shrink = min(1.0, QUERY_SIDE_PX / max(width_px, height_px))
    return box.scaled(1 / shrink, 1 / shrink)


def assert_near(box: Box, corners: tuple[float, float, float, float], tolerance_px: float) -> None:
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == pytest.approx(corners, abs=tolerance_px)


def wait_for_query(running_page: RunningPage, count: int) -> None:
    deadline = time.monotonic() + 10
    while len(running_page.client.queries) < count:
        assert time.monotonic() < deadline, "the search service was not asked"
        time.sleep(0.02)


@pytest.mark.parametrize("kind", PHOTOS)
def test_a_box_drawn_with_the_mouse_arrives_exactly(
    kind: str, desktop: Page, running_page: RunningPage
) -> None:
    make, width_px, height_px = PHOTOS[kind]
    upload_photo(desktop, make())
    shown = overlay(desktop).bounding_box()
    assert shown
    assert shown["width"] / shown["height"] == pytest.approx(width_px / height_px, rel=0.01)

    drag(desktop, at(desktop, START), at(desktop, END))
    wait_for_results(desktop)

    display_px = width_px / shown["width"]
    corners = (START[0] * width_px, START[1] * height_px, END[0] * width_px, END[1] * height_px)
    assert_near(queried_box(running_page, width_px, height_px), corners, display_px)
    assert box_on_page(desktop) == pytest.approx(corners, abs=display_px)


def test_a_box_stays_on_its_object_when_the_window_changes(desktop: Page) -> None:
    upload_photo(desktop, jpeg(1200, 800))
    drag(desktop, at(desktop, START), at(desktop, END))
    before = box_on_page(desktop)

    desktop.set_viewport_size({"width": 500, "height": 800})
    expect(overlay(desktop)).to_be_visible()

    assert box_on_page(desktop) == before
    outline, shown = desktop.locator(".bp-outline").last.bounding_box(), overlay(desktop).bounding_box()
    assert outline
    assert shown
    assert (outline["x"] - shown["x"]) / shown["width"] == pytest.approx(START[0], abs=0.01)


def test_a_box_is_moved_and_resized_with_the_mouse(desktop: Page, running_page: RunningPage) -> None:
    upload_photo(desktop, jpeg(1000, 800))
    drag(desktop, at(desktop, (0.2, 0.2)), at(desktop, (0.5, 0.5)))
    wait_for_results(desktop)
    asked = len(running_page.client.queries)

    drag(desktop, at(desktop, (0.35, 0.35)), at(desktop, (0.45, 0.45)))
    wait_for_query(running_page, asked + 1)
    drag(desktop, at(desktop, (0.6, 0.6)), at(desktop, (0.9, 0.7)))
    wait_for_query(running_page, asked + 2)
    drag(desktop, at(desktop, (0.3, 0.5)), at(desktop, (0.1, 0.5)))
    wait_for_query(running_page, asked + 3)

    assert_near(queried_box(running_page, 1000, 800), (100, 240, 900, 560), 4)


def test_a_drag_past_the_edge_ends_at_the_edge(desktop: Page, running_page: RunningPage) -> None:
    upload_photo(desktop, jpeg(1000, 800))
    x, y = at(desktop, (0.5, 0.5))
    right, bottom = at(desktop, (1.0, 1.0))

    drag(desktop, (x, y), (right + 60, bottom + 40))
    wait_for_results(desktop)

    box = queried_box(running_page, 1000, 800)
    assert (box.x_max, box.y_max) == (1000, 800)


def test_a_click_without_a_drag_searches_nothing(desktop: Page, running_page: RunningPage) -> None:
    upload_photo(desktop, jpeg(1000, 800))
    asked = len(running_page.client.queries)

    desktop.mouse.click(*at(desktop, (0.5, 0.5)))

    expect(desktop.locator(".bp-status")).to_contain_text("Drag across an object")
    assert len(running_page.client.queries) == asked


def test_a_finger_draws_and_moves_a_box(phone: Page, running_page: RunningPage) -> None:
    upload_photo(phone, jpeg(1200, 900))
    shown = overlay(phone).bounding_box()
    assert shown
    asked = len(running_page.client.queries)

    touch_drag(phone, at(phone, START), at(phone, END))
    wait_for_query(running_page, asked + 1)
    display_px = 1200 / shown["width"]
    assert_near(queried_box(running_page, 1200, 900), (240, 225, 840, 720), display_px)

    touch_drag(phone, at(phone, (0.45, 0.5)), at(phone, (0.55, 0.5)))
    wait_for_query(running_page, asked + 2)
    assert_near(queried_box(running_page, 1200, 900), (360, 225, 960, 720), 2 * display_px)


def test_the_keyboard_alone_makes_moves_resizes_and_removes_a_box(
    desktop: Page, running_page: RunningPage
) -> None:
    upload_photo(desktop, jpeg(640, 480))
    shown = overlay(desktop).bounding_box()
    assert shown
    step = max(1.0, 640 / shown["width"])
    desktop.locator(".bp-bar .bp-choose").focus()
    desktop.keyboard.press("Tab")
    expect(overlay(desktop)).to_be_focused()

    desktop.keyboard.press("Enter")
    wait_for_results(desktop)
    assert_near(queried_box(running_page, 640, 480), (192, 144, 448, 336), 0.01)
    expect(desktop.locator(".bp-box")).to_be_focused()
    asked = len(running_page.client.queries)

    desktop.keyboard.press("ArrowRight")
    desktop.keyboard.press("Shift+ArrowDown")
    desktop.keyboard.press("Control+ArrowRight")
    desktop.keyboard.press("Alt+Shift+ArrowUp")
    wait_for_query(running_page, asked + 1)
    time.sleep(0.6)

    assert len(running_page.client.queries) == asked + 1, "keys in a row are one search"
    corners = (192 + step, 144 + 10 * step, 448 + 2 * step, 336)
    assert_near(queried_box(running_page, 640, 480), corners, 0.01)

    desktop.keyboard.press("Delete")
    expect(desktop.locator("#results .card")).to_have_count(0)
    assert box_on_page(desktop) == []


def test_exact_numbers_can_be_typed(desktop: Page, running_page: RunningPage) -> None:
    upload_photo(desktop, jpeg(640, 480))
    desktop.locator(".bp-exact summary").click()

    for edge, value in enumerate((10, 20, 300, 9999)):
        desktop.locator(f'.bp-fields input[data-edge="{edge}"]').fill(str(value))
    desktop.keyboard.press("Tab")
    wait_for_results(desktop)

    assert_near(queried_box(running_page, 640, 480), (10, 20, 300, 480), 0)


def test_a_dashed_box_is_taken_by_one_click_and_by_enter(desktop: Page) -> None:
    open_example(desktop)
    regions = desktop.locator(".bp-region")
    shown = regions.nth(0).bounding_box()
    assert shown

    desktop.mouse.click(shown["x"] + shown["width"] / 2, shown["y"] + shown["height"] / 2)
    wait_for_results(desktop)
    first = box_on_page(desktop)
    title = results(desktop).first.inner_text()

    regions.nth(1).focus()
    desktop.keyboard.press("Enter")
    expect(results(desktop).first).not_to_have_text(title)

    assert box_on_page(desktop) != first


def test_photo_and_box_are_still_there_after_a_look_at_the_other_tab(desktop: Page) -> None:
    upload_photo(desktop, jpeg(1200, 800))
    drag(desktop, at(desktop, START), at(desktop, END))
    wait_for_results(desktop)
    before = box_on_page(desktop)

    desktop.get_by_role("tab", name="Product to rooms").click()
    expect(overlay(desktop)).to_be_hidden()
    desktop.get_by_role("tab", name="Room to products").click()

    expect(desktop.locator(".bp-box")).to_be_visible()
    assert box_on_page(desktop) == before
    expect(desktop.locator("#results")).to_have_attribute("aria-busy", "false")
