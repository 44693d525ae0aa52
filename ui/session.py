"""What the page remembers of one visitor, in memory only."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.imaging import Box
from services.search.client import PhotoQuery, Query, RegionQuery
from ui.photo import Photo


@dataclass
class Session:
    """One browser tab. Lives in a `gr.State`; never written anywhere.

    Attributes:
        photo: the photo in the first view.
        query: what the last search of the first view was for; None without a box.
        turn: counts what the visitor asked for, so that late answers are known as such.
        serial: number of the last box that the browser sent for this photo.
        product_id: the product of the second view, or "".
    """

    photo: Photo | None = field(default=None, repr=False)
    query: Query | None = field(default=None, repr=False)
    turn: int = 0
    serial: int = 0
    product_id: str = ""

    def next_turn(self) -> int:
        """A number for a new question; earlier ones are answered too late from now on."""
        self.turn += 1
        return self.turn

    def take_photo(self, photo: Photo) -> None:
        """Replaces the photo; there is no box on it yet."""
        self.photo = photo
        self.query = None
        self.serial = 0

    def accept_serial(self, serial: object) -> bool:
        """Whether a box is newer than those before; two that overtake each other must not be swapped."""
        if not isinstance(serial, int) or serial <= self.serial:
            return False
        self.serial = serial
        return True

    def take_box(self, box: Box) -> None:
        """Searches from now on for a box of the photo, in full-size pixels."""
        assert self.photo is not None
        self.query = PhotoQuery(self.photo.query.jpeg, self.photo.query_box(box))

    def take_region(self, region_id: str) -> None:
        """Searches from now on for a region of the catalogue."""
        self.query = RegionQuery(region_id)

    def forget(self) -> None:
        """Drops the photo; called when the visitor leaves or stays away for long."""
        self.photo = None
        self.query = None
