"""Both directions in a browser, and what the page says when something is wrong."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from services.runtime.config import ClientConfig
from services.search.client import ProductResults, Query, SearchClient
from tests.battery_images import encode, exif, jpeg, photo
from tests.e2e.browser import (
    at,
    drag,
    open_example,
    results,
    touch_drag,
    upload,
    upload_photo,
    wait_for_results,
)
from tests.e2e.conftest import HOSTILE_CATEGORY, HOSTILE_TITLE, RecordingClient, RunningPage
from ui.config import UiConfig
from ui.server import PageServer


def take_region(page: Page, number: int = 0) -> None:
    page.locator(".bp-region").nth(number).focus()
    page.keyboard.press("Enter")
    wait_for_results(page)


def choose_category(page: Page, name: str) -> None:
    page.locator("#categories input").click()
    page.locator("#categories [role=option]", has_text=name).click()
    page.keyboard.press("Escape")


def test_a_box_in_a_room_finds_products_and_a_product_its_rooms_and_back(desktop: Page) -> None:
    open_example(desktop)
    take_region(desktop)
    best = results(desktop).first
    name = best.locator(".title").inner_text()
    expect(best.locator("img")).to_have_js_property("complete", True)
    expect(best.locator(".score")).to_have_text(re.compile(r"^0\.\d\d$|^1\.00$"))

    best.click()
    expect(desktop.locator("#product h2")).to_have_text(name)
    expect(desktop.locator("#rooms h3").first).to_have_text("Rooms with this very product")
    room = desktop.locator("#rooms .room").first
    drawn, picture = room.locator("rect.exact").bounding_box(), room.locator("svg").bounding_box()
    assert drawn
    assert picture
    assert drawn["width"] < picture["width"]

    room.click()
    expect(desktop.locator(".bp-box")).to_be_visible()
    wait_for_results(desktop)
    expect(results(desktop).first.locator(".title")).to_have_text(name)


def test_a_finger_finds_products_too(phone: Page) -> None:
    phone.locator("#examples .example").first.tap()
    phone.locator(".bp-region").first.wait_for()

    touch_drag(phone, at(phone, (0.3, 0.4)), at(phone, (0.7, 0.9)))
    wait_for_results(phone)

    results(phone).first.tap()
    expect(phone.locator("#rooms .room").first).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_category_and_a_number_narrow_the_results(desktop: Page) -> None:
    open_example(desktop)
    take_region(desktop)

    choose_category(desktop, "lamp")
    expect(results(desktop).first).to_contain_text("lamp")
    categories = set(desktop.locator("#results .card .line span").all_inner_texts())

    assert categories == {"lamp"}


def test_on_a_phone_what_was_found_is_said_near_the_photo_and_leads_to_the_cards(phone: Page) -> None:
    phone.locator("#examples .example").first.tap()
    phone.locator(".bp-region").first.wait_for()
    touch_drag(phone, at(phone, (0.3, 0.4)), at(phone, (0.7, 0.9)))
    wait_for_results(phone)
    see_them = phone.locator("#status .jump")
    expect(see_them).to_be_in_viewport()

    see_them.tap()

    expect(phone.locator("#status")).not_to_be_in_viewport()
    expect(results(phone).first).to_be_in_viewport()


def test_on_a_phone_a_product_is_shown_from_its_top_and_back_returns_to_the_results(phone: Page) -> None:
    phone.locator("#examples .example").first.tap()
    phone.locator(".bp-region").first.wait_for()
    touch_drag(phone, at(phone, (0.3, 0.4)), at(phone, (0.7, 0.9)))
    wait_for_results(phone)
    card = results(phone).nth(3)

    card.tap()
    expect(phone.locator("#product h2")).to_be_in_viewport()
    expect(phone.locator("#rooms .room").first).to_be_in_viewport()

    phone.go_back()
    expect(card).to_be_in_viewport()
    expect(phone.locator(".bp")).to_have_attribute("data-state", "photo")


def test_a_search_under_way_is_said(desktop: Page) -> None:
    open_example(desktop)
    desktop.route(re.compile("/queue/join"), lambda _: None)  # never answered

    desktop.locator(".bp-region").first.focus()
    desktop.keyboard.press("Enter")

    expect(desktop.locator("#status [aria-busy=true]")).to_be_attached()
    expect(desktop.locator("#status .note")).not_to_be_visible()
    expect(desktop.locator("#results")).to_have_attribute("aria-busy", "true")
    desktop.unroute_all(behavior="ignoreErrors")


def test_a_product_can_be_chosen_from_the_catalog(desktop: Page) -> None:
    desktop.get_by_role("tab", name="Product to rooms").click()
    card = desktop.locator("#browse .card", has_text="chair").first

    card.click()

    expect(desktop.locator("#product h2")).to_contain_text("chair")
    expect(desktop.locator("#rooms .room").first).to_be_visible()


def test_hostile_text_of_the_catalog_is_shown_as_text(desktop: Page) -> None:
    desktop.get_by_role("tab", name="Product to rooms").click()
    card = desktop.locator('#browse .card[data-product="P-HOSTILE"]')

    expect(card.locator(".title")).to_have_text(HOSTILE_TITLE)
    expect(card.locator(".line span")).to_have_text(HOSTILE_CATEGORY)
    card.click()
    expect(desktop.locator("#product h2")).to_have_text(HOSTILE_TITLE)

    assert desktop.evaluate("window.hacked") is None


def test_a_hostile_file_name_is_shown_as_text(desktop: Page) -> None:
    upload(desktop, jpeg(), "<img src=x onerror=window.hacked=1>${1+1}.jpg")

    expect(desktop.locator(".bp-name")).to_contain_text("onerror=window.hacked=1>")
    assert desktop.evaluate("window.hacked") is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!doctype html><p>hello</p>" * 40, "not an image"),
        (jpeg()[:600], "damaged or incomplete"),
        (encode(photo(4, 4)), "each side needs at least 8"),
        (b"", "empty"),
        (jpeg() + b"\0" * 10_000_000, "larger than 10 MB"),
    ],
    ids=["not an image", "cut short", "too small", "empty", "too big"],
)
def test_a_bad_file_is_answered_with_one_sentence(data: bytes, words: str, desktop: Page) -> None:
    upload(desktop, data, "bad.jpg")

    expect(desktop.locator(".bp-status")).to_contain_text(words)
    said = desktop.locator(".bp-status").inner_text()
    assert "/" not in said
    assert "Traceback" not in said
    assert "Error" not in said


def test_a_good_photo_after_a_bad_one_works(desktop: Page) -> None:
    upload(desktop, b"no image", "bad.jpg")
    expect(desktop.locator(".bp-status")).to_contain_text("not an image")

    upload_photo(desktop, jpeg(640, 480), "good.jpg")
    drag(desktop, at(desktop, (0.2, 0.2)), at(desktop, (0.6, 0.6)))

    wait_for_results(desktop)


def test_nothing_of_an_upload_is_left_on_disk_and_its_metadata_reaches_nobody(
    desktop: Page, running_page: RunningPage
) -> None:
    uploads = Path(os.environ["GRADIO_TEMP_DIR"])
    upload_photo(desktop, encode(photo(640, 480), exif=exif(1, gps=True)))

    assert [file for file in uploads.rglob("*") if file.is_file()] == []
    shown = desktop.request.get(
        running_page.address + (desktop.locator(".bp-photo").get_attribute("src") or "")
    )
    assert b"Exif" not in shown.body()
    drag(desktop, at(desktop, (0.2, 0.2)), at(desktop, (0.6, 0.6)))
    wait_for_results(desktop)
    assert b"Exif" not in running_page.last_photo_query().image


def test_a_blank_box_is_marked_as_uncertain(desktop: Page) -> None:
    upload_photo(desktop, encode(photo(4, 4).resize((640, 480)).point(lambda _: 255)))

    drag(desktop, at(desktop, (0.2, 0.2)), at(desktop, (0.6, 0.6)))

    expect(desktop.locator("#status .note-warning")).to_contain_text("plain surface")


def test_a_search_service_that_is_down_is_said_and_found_again(
    chromium: Browser, search_address: str
) -> None:
    class Detachable(SearchClient):
        """The real client, to an address where nobody listens until `attach`."""

        def __init__(self) -> None:
            super().__init__(ClientConfig("127.0.0.1:9"))

        def attach(self) -> None:
            super().__init__(ClientConfig(search_address))

    client = Detachable()
    with PageServer(UiConfig(port=0, search_deadline_s=2), client) as server:
        page = chromium.new_page()
        page.goto(server.address)
        expect(page.locator("#banner")).to_contain_text("The search service cannot be reached.")

        upload_photo(page, jpeg(640, 480))
        drag(page, at(page, (0.2, 0.2)), at(page, (0.6, 0.6)))
        expect(page.locator("#status")).to_contain_text("The search service cannot be reached.")

        client.attach()
        page.locator("#examples .example").first.wait_for(timeout=15_000)
        expect(page.locator("#banner")).to_have_text("")
        drag(page, at(page, (0.25, 0.25)), at(page, (0.65, 0.65)))
        wait_for_results(page)
        page.close()


def test_a_full_queue_is_said(chromium: Browser, search_address: str) -> None:
    go_on = threading.Event()

    class Slow(RecordingClient):
        """The real client, slow while `go_on` is not set."""

        def search_products(self, query: Query, **options: Any) -> ProductResults:
            self.queries.append(query)
            go_on.wait(20)
            return SearchClient.search_products(self, query, **options)

    client = Slow(ClientConfig(search_address))
    with PageServer(UiConfig(port=0, max_searches=1, max_waiting=1), client) as server:
        page = chromium.new_page()
        page.goto(server.address)
        upload_photo(page, jpeg(640, 480))
        try:
            for number in range(4):
                drag(page, at(page, (0.7, 0.1)), at(page, (0.8 + number / 100, 0.3)))
                drag(page, at(page, (0.1, 0.6)), at(page, (0.4 + number / 100, 0.9)))
            expect(page.get_by_text("currently busy").first).to_be_visible()
        finally:
            go_on.set()
        wait_for_results(page)
        page.close()
