"""The first view, rooms to products: what happens on each event, free of gradio.

Every method returns what to show; none raises for a visitor's mistake or a service that
is down: the sentence is part of the answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.imaging import ImageLimits
from services.search.client import PhotoQuery, ProductFilter, Scene, SearchClient
from ui.box_picker import DashedBox, Picture, parse_box
from ui.markup import found, note
from ui.photo import SHOWN_SIDE_PX, Photo, photo_from_catalog, photo_from_upload, read_upload
from ui.photo_shelf import PhotoShelf
from ui.products import result_cards
from ui.rooms import room_name
from ui.session import Session
from ui.wording import PHOTO_GONE, category_text, counted, seconds_text, sentence

DRAW_A_BOX = "Draw a box round an object to find products that look like it."
TAKE_A_BOX = "Choose a dashed box, or draw your own round any object."
LOW_CONFIDENCE = (
    "This box shows hardly more than one plain surface, so the results mean little: draw it round an object."
)


@dataclass(frozen=True)
class Wish:
    """How the visitor wants results: categories (empty means all) and how many."""

    categories: Sequence[str] = ()
    count: int = 20


@dataclass(frozen=True)
class Results:
    """Finished markup: the line above the cards, and the cards."""

    status: str
    cards: str = ""


@dataclass(frozen=True)
class Opened:
    """A photo was opened, or (picture None) refused with a message."""

    picture: Picture | None
    message: str
    results: Results | None


class RoomView:
    """Answers the events of the first view."""

    def __init__(
        self,
        client: SearchClient,
        shelf: PhotoShelf,
        upload_dir: Path,
        *,
        max_upload_bytes: int,
        max_decodes: int,
        deadline_s: float,
    ) -> None:
        self._client = client
        self._shelf = shelf
        self._upload_dir = upload_dir
        self._limits = ImageLimits(max_bytes=max_upload_bytes)
        # Decoded photos are the page's largest use of memory: about 100 MB each while they last.
        self._decoding = threading.BoundedSemaphore(max_decodes)
        self._deadline_s = deadline_s

    def open_upload(self, session: Session, data: Mapping[str, object]) -> Opened:
        """A file was uploaded: read it, delete it, show it."""
        turn = session.next_turn()
        try:
            read = read_upload(str(data.get("path", "")), self._upload_dir, self._limits.max_bytes)
            with self._decoding:
                photo = photo_from_upload(read, str(data.get("name", "")), self._limits)
        except Exception as problem:  # each becomes a sentence; unexpected ones are logged there
            return Opened(None, sentence(problem), None)
        if session.turn != turn:
            return Opened(None, "", None)
        session.take_photo(photo)
        return Opened(self._picture(photo), "", Results(note(DRAW_A_BOX)))

    def open_scene(self, session: Session, scene_id: str, region_id: str, wish: Wish) -> Opened:
        """A room of the catalogue was chosen, perhaps with one of its regions."""
        turn = session.next_turn()
        try:
            scene = self._client.get_scene(scene_id, deadline_s=self._deadline_s)
            jpeg = self._client.get_image(scene.image.image_id, SHOWN_SIDE_PX, deadline_s=self._deadline_s)
            photo = photo_from_catalog(jpeg, room_name(scene), scene.image.width_px, scene.image.height_px)
        except Exception as problem:
            return Opened(None, sentence(problem), None)
        if session.turn != turn:
            return Opened(None, "", None)
        session.take_photo(photo)
        dashed = _dashed(scene)
        taken = region_id if any(each.region_id == region_id for each in dashed) else ""
        picture = self._picture(photo, dashed, taken)
        if not taken:
            return Opened(picture, "", Results(note(TAKE_A_BOX if dashed else DRAW_A_BOX)))
        session.take_region(taken)
        return Opened(picture, "", self.search(session, wish))

    def take_box(self, session: Session, data: Mapping[str, object], wish: Wish) -> Results | None:
        """A box was released or a dashed one taken: search. None when it came too late to matter."""
        if session.photo is None:
            return Results(note(PHOTO_GONE, "error"))
        if data.get("picture") != session.photo.photo_id or not session.accept_serial(data.get("serial")):
            return None
        try:
            box = parse_box(data, session.photo.width_px, session.photo.height_px)
        except ValueError as problem:
            return Results(note(sentence(problem), "error", session.next_turn()))
        if region_id := str(data.get("region") or ""):
            session.take_region(region_id)
        else:
            session.take_box(box)
        return self.search(session, wish)

    def clear(self, session: Session) -> Results:
        """The box was removed."""
        session.next_turn()
        session.query = None
        return Results(note(DRAW_A_BOX))

    def search(self, session: Session, wish: Wish) -> Results | None:
        """Searches again for what is boxed. None when there is no box, or a newer question came meanwhile."""
        turn = session.next_turn()
        query = session.query
        if query is None:
            return None
        started = time.perf_counter()
        try:
            answer = self._client.search_products(
                query,
                filter=ProductFilter(categories=tuple(wish.categories)),
                page_size=wish.count,
                deadline_s=self._deadline_s,
            )
        except Exception as problem:
            return Results(note(sentence(problem), "error", turn)) if session.turn == turn else None
        if session.turn != turn:
            return None
        elapsed_s = time.perf_counter() - started
        if not answer.hits:
            only = " in the chosen categories" if wish.categories else ""
            return Results(note(f"No product was found{only}.", "warning", turn))
        # The number of the turn makes two equal sentences differ, so that the browser notices the second.
        summary = f"{counted(len(answer.hits), 'product')} in {seconds_text(elapsed_s)}"
        status = found(summary, "See them", turn)
        if answer.low_confidence and isinstance(query, PhotoQuery):
            status += note(LOW_CONFIDENCE, "warning")
        return Results(status, result_cards(answer.hits))

    def _picture(self, photo: Photo, dashed: tuple[DashedBox, ...] = (), taken: str = "") -> Picture:
        address = self._shelf.put(photo)
        return Picture(photo.photo_id, address, photo.width_px, photo.height_px, photo.name, dashed, taken)


def _dashed(scene: Scene) -> tuple[DashedBox, ...]:
    # Proposed grids would cover the photo with boxes; show only what a person drew, if anybody did.
    drawn = [region for region in scene.regions if not region.proposed]
    return tuple(DashedBox(region.region_id, region.box, category_text(region.category)) for region in drawn)
