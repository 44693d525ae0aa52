"""The main job, end to end: `insitu demo` on real catalogues, used in a real browser by a person's hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from services.imaging import Box, read_header
from tests.conftest import REPOSITORY
from tests.e2e.browser import at, drag, overlay, results, upload_photo, wait_for_results
from tests.live_demo import READY, running_demo


def box_and_follow(
    browser: Browser, address: str, photo: Path, box: Box, category: str, *, of_five: int
) -> None:
    """Upload a photo and box an object: the first is of its category, and `of_five` of the first five are.

    Take the first: the rooms that use it come, with boxes.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(address)
    data = photo.read_bytes()
    upload_photo(page, data, photo.name)
    header = read_header(data)
    overlay(page).scroll_into_view_if_needed()
    corners = (
        (box.x_min / header.width_px, box.y_min / header.height_px),
        (box.x_max / header.width_px, box.y_max / header.height_px),
    )
    drag(page, at(page, corners[0]), at(page, corners[1]))
    wait_for_results(page)
    expect(results(page).nth(4)).to_be_visible()
    categories = results(page).locator(".line span:first-child").all_inner_texts()[:5]
    alike = [name.strip().lower() == category for name in categories]
    assert alike[0], categories
    assert sum(alike) >= of_five, categories

    results(page).first.click()
    rooms = page.locator("#rooms section").filter(has=page.get_by_text("Rooms with this very product"))
    drawn = rooms.locator(".room").first.locator("rect.exact").first
    expect(drawn).to_be_attached()
    photo_size = re.fullmatch(r"0 0 (\d+) (\d+)", rooms.locator("svg").first.get_attribute("viewBox") or "")
    assert photo_size
    assert 8 <= float(drawn.get_attribute("width") or 0) < float(photo_size[1])
    context.close()


@pytest.mark.timeout(300)
def test_an_armchair_in_a_bundled_room_finds_armchairs_and_their_rooms(
    chromium: Browser, tmp_path: Path
) -> None:
    photo = REPOSITORY / "samples" / "catalog" / "scenes" / "room-021.jpg"
    with running_demo(tmp_path) as demo:
        demo.wait_for(READY)
        address = f"http://127.0.0.1:{demo.port}"
        box_and_follow(chromium, address, photo, Box(666, 322, 940, 615), "armchairs", of_five=2)


@pytest.mark.timeout(600)
def test_an_armchair_in_a_real_room_finds_armchairs_and_their_rooms(
    chromium: Browser, tmp_path: Path, ikea: Path
) -> None:
    photo = ikea / "scenes" / "scene-089.jpg"
    with running_demo(tmp_path, ["--catalog", str(ikea)]) as demo:
        demo.wait_for(READY, 400)
        assert "1,719 stored" in demo.output
        assert "229 stored" in demo.output
        address = f"http://127.0.0.1:{demo.port}"
        box_and_follow(chromium, address, photo, Box(122, 309, 436, 624), "armchair", of_five=3)
