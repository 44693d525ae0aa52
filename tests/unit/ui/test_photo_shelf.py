from __future__ import annotations

import gc

from starlette.applications import Starlette
from starlette.testclient import TestClient

from services.imaging import DEFAULT_LIMITS
from tests.battery_images import jpeg
from ui.photo import photo_from_upload
from ui.photo_shelf import PhotoShelf


def test_a_photo_can_be_seen_as_long_as_somebody_holds_it() -> None:
    shelf = PhotoShelf()
    browser = TestClient(Starlette(routes=[shelf.route()]))
    photo = photo_from_upload(jpeg(), "x.jpg", DEFAULT_LIMITS)

    address = shelf.put(photo)
    answer = browser.get(address)

    assert answer.content == photo.shown_jpeg
    assert answer.headers["cache-control"] == "private, no-store"
    del photo
    gc.collect()
    assert browser.get(address).status_code == 404


def test_an_unknown_address_is_404() -> None:
    assert TestClient(Starlette(routes=[PhotoShelf().route()])).get("photo/" + "0" * 32).status_code == 404
