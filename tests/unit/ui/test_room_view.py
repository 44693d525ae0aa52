"""The first view against a client that answers what a test says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc
import pytest

from services.runtime.errors import Busy, NotReady, Unavailable, new_error
from services.search.client import (
    Box,
    Image,
    PhotoQuery,
    Product,
    ProductFilter,
    ProductHit,
    ProductResults,
    Query,
    Region,
    RegionQuery,
    Scene,
    SearchClient,
    SearchTiming,
)
from tests.battery_images import jpeg
from ui.photo_shelf import PhotoShelf
from ui.room_view import Results, RoomView, Wish
from ui.session import Session

WISH = Wish()
IMAGE = Image("sha256:" + "2" * 64, 640, 480)


def found(*titles: str, low_confidence: bool = False) -> ProductResults:
    hits = tuple(
        ProductHit(Product(title, title, "sofa", images=(IMAGE,)), 0.5, IMAGE.image_id) for title in titles
    )
    return ProductResults(hits, "", low_confidence, "", None, SearchTiming())


class ScriptedClient:
    """Answers `search_products` with a function and notes what was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[Query], ProductResults] = lambda query: found("Red sofa")
        self.queries: list[Query] = []
        self.filters: list[ProductFilter] = []

    def search_products(
        self,
        query: Query,
        *,
        filter: ProductFilter,  # noqa: A002
        page_size: int,
        deadline_s: float,
    ) -> ProductResults:
        self.queries.append(query)
        self.filters.append(filter)
        return self.answer(query)

    def get_scene(self, scene_id: str, *, deadline_s: float) -> Scene:
        drawn = Region("drawn", scene_id, Box(10, 20, 200, 220), category="arm_chair")
        grid = Region("grid", scene_id, Box(0, 0, 320, 240), proposed=True)
        return Scene(scene_id, IMAGE, {"room": "Bedroom"}, (drawn, grid))

    def get_image(self, image_id: str, side_px: int, *, deadline_s: float) -> bytes:
        return jpeg(320, 240)  # half of IMAGE


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def view(client: ScriptedClient, tmp_path: Path) -> RoomView:
    return RoomView(
        cast(SearchClient, client),
        PhotoShelf(),
        tmp_path,
        max_upload_bytes=1_000_000,
        max_decodes=1,
        deadline_s=1.0,
    )


@pytest.fixture
def session(view: RoomView, tmp_path: Path) -> Session:
    """A visitor with a photo of 640 x 480 px."""
    (tmp_path / "photo.jpg").write_bytes(jpeg(640, 480))
    opened = Session()
    assert view.open_upload(opened, {"path": str(tmp_path / "photo.jpg"), "name": "photo.jpg"}).picture
    return opened


def drawn(session: Session, serial: int = 1, **changes: object) -> dict[str, object]:
    assert session.photo
    box = {"x_min": 10, "y_min": 20, "x_max": 110, "y_max": 220}
    return {"picture": session.photo.photo_id, "serial": serial, "region": "", **box, **changes}


def shown(results: Results | None) -> Results:
    assert results is not None
    return results


def test_a_box_searches_for_itself(view: RoomView, session: Session, client: ScriptedClient) -> None:
    results = shown(view.take_box(session, drawn(session), Wish(("sofa",), 12)))

    (query,) = client.queries
    assert isinstance(query, PhotoQuery)
    assert query.box == Box(10, 20, 110, 220)
    assert client.filters[0].categories == ("sofa",)
    assert "1 product in" in results.status
    assert "Red sofa" in results.cards


def test_a_dashed_box_searches_by_its_region(
    view: RoomView, session: Session, client: ScriptedClient
) -> None:
    view.take_box(session, drawn(session, region="r1"), WISH)

    assert client.queries == [RegionQuery("r1")]


def test_an_answer_that_a_newer_box_overtook_is_dropped(
    view: RoomView, session: Session, client: ScriptedClient
) -> None:
    newer: list[Results | None] = []

    def slow_then_fast(query: Query) -> ProductResults:
        client.answer = lambda query: found("New sofa")
        newer.append(view.take_box(session, drawn(session, serial=2, x_max=300), WISH))
        return found("Old sofa")

    client.answer = slow_then_fast

    assert view.take_box(session, drawn(session, serial=1), WISH) is None
    assert "New sofa" in shown(newer[0]).cards


def test_a_box_that_arrives_after_a_newer_one_is_ignored(
    view: RoomView, session: Session, client: ScriptedClient
) -> None:
    view.take_box(session, drawn(session, serial=2), WISH)

    assert view.take_box(session, drawn(session, serial=1), WISH) is None
    assert len(client.queries) == 1


def test_a_box_of_another_photo_is_ignored(view: RoomView, session: Session, client: ScriptedClient) -> None:
    assert view.take_box(session, drawn(session, picture="f" * 32), WISH) is None
    assert client.queries == []


def test_a_box_without_a_photo_says_to_choose_one(view: RoomView) -> None:
    assert "choose it again" in shown(view.take_box(Session(), {}, WISH)).status


def test_a_bad_box_is_one_sentence(view: RoomView, session: Session, client: ScriptedClient) -> None:
    assert 'role="alert"' in shown(view.take_box(session, drawn(session, x_max=12), WISH)).status
    assert client.queries == []


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (
            new_error(grpc.StatusCode.UNAVAILABLE, "TRANSPORT", "ipv4:10.0.0.7:50052 refused"),
            "cannot be reached",
        ),
        (Unavailable("EMBEDDER_DOWN", "The embedder cannot be reached."), "The embedder cannot be reached."),
        (Busy("QUEUE_FULL", "Full."), "busy at the moment"),
        (NotReady("NOTHING_IMPORTED", "Nothing is imported: run insitu index."), "run insitu index"),
        (new_error(grpc.StatusCode.INTERNAL, "TRANSPORT", "Traceback /srv/x.py"), "had a problem"),
        (new_error(grpc.StatusCode.DEADLINE_EXCEEDED, "TRANSPORT", "x"), "took too long"),
        (RuntimeError("secret at /srv/x.py"), "Something went wrong on this page"),
    ],
)
def test_a_failed_search_is_one_sentence_without_internals(
    problem: Exception, words: str, view: RoomView, session: Session, client: ScriptedClient
) -> None:
    def fail(query: Query) -> ProductResults:
        raise problem

    client.answer = fail

    results = shown(view.take_box(session, drawn(session), WISH))

    assert words in results.status
    assert results.cards == ""
    assert not any(leak in results.status for leak in ("/srv", "10.0.0.7", "Traceback", "secret"))


def test_low_confidence_is_said_and_the_hits_stay(
    view: RoomView, session: Session, client: ScriptedClient
) -> None:
    client.answer = lambda query: found("Red sofa", low_confidence=True)

    results = shown(view.take_box(session, drawn(session), WISH))

    assert "plain surface" in results.status
    assert "Red sofa" in results.cards


def test_no_hits_are_said(view: RoomView, session: Session, client: ScriptedClient) -> None:
    client.answer = lambda query: found()

    assert (
        "No product was found in the chosen categories"
        in shown(view.take_box(session, drawn(session), Wish(("lamp",)))).status
    )


def test_a_scene_shows_the_boxes_that_people_drew(view: RoomView, client: ScriptedClient) -> None:
    session = Session()

    opened = view.open_scene(session, "S-1", "", WISH)

    assert opened.picture
    assert [each.region_id for each in opened.picture.dashed] == ["drawn"]
    assert (opened.picture.width_px, opened.picture.height_px) == (640, 480)
    assert client.queries == []


def test_a_scene_opened_at_a_region_is_searched_at_once(view: RoomView, client: ScriptedClient) -> None:
    opened = view.open_scene(Session(), "S-1", "drawn", WISH)

    assert opened.picture
    assert opened.picture.taken == "drawn"
    assert client.queries == [RegionQuery("drawn")]
    assert opened.results


def test_an_own_box_on_a_scene_is_scaled_to_the_picture_at_hand(
    view: RoomView, client: ScriptedClient
) -> None:
    session = Session()
    view.open_scene(session, "S-1", "", WISH)

    view.take_box(session, drawn(session), WISH)

    (query,) = client.queries
    assert isinstance(query, PhotoQuery)
    assert query.box == Box(5, 10, 55, 110)


def test_a_refused_upload_keeps_the_photo_before(view: RoomView, session: Session, tmp_path: Path) -> None:
    before = session.photo
    (tmp_path / "text.jpg").write_bytes(b"no picture at all, only words" * 10)

    refused = view.open_upload(session, {"path": str(tmp_path / "text.jpg"), "name": "text.jpg"})

    assert refused.picture is None
    assert "not an image" in refused.message
    assert session.photo is before


def test_a_forgotten_photo_is_gone(view: RoomView, session: Session) -> None:
    session.forget()

    assert session.photo is None
    assert session.query is None
