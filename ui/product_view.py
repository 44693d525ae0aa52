"""The second view, product to rooms: what happens on each event, free of gradio."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from services.search.client import ProductPage, ProductQuery, SceneFilter, SceneHit, SearchClient
from ui.markup import note
from ui.products import catalog_cards, product_panel
from ui.rooms import near_best, room_cards
from ui.session import Session
from ui.wording import counted, seconds_text, sentence

ROOMS_SHOWN = 24
BOXES_SHOWN = 3  # more would cover a small photo with boxes
PRODUCTS_LISTED = 48


@dataclass(frozen=True)
class ProductShown:
    """Finished markup: the product, the line above its rooms, the rooms."""

    panel: str
    status: str
    rooms: str = ""


class ProductView:
    """Answers the events of the second view."""

    def __init__(self, client: SearchClient, *, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s

    def open_product(self, session: Session, product_id: str) -> ProductShown | None:
        """Facts of a chosen product and the rooms that use it. None when another was chosen meanwhile."""
        session.product_id = product_id
        started = time.perf_counter()
        try:
            product = self._client.get_product(product_id, deadline_s=self._deadline_s)
        except Exception as problem:  # each becomes a sentence; unexpected ones are logged there
            return ProductShown("", note(sentence(problem), "error"))
        try:
            used = self._rooms(product_id, SceneFilter(product_ids=(product_id,)))
            alike = self._rooms(product_id)
        except Exception as problem:
            return ProductShown(product_panel(product), note(sentence(problem), "error"))
        if session.product_id != product_id:
            return None
        elapsed_s = time.perf_counter() - started
        used_ids = {hit.scene.scene_id for hit in used}
        others = [near_best(hit) for hit in alike if hit.scene.scene_id not in used_ids]
        status = (
            note(f"{counted(len(used) + len(others), 'room')} in {seconds_text(elapsed_s)}")
            if used or others
            else note("No room was found with this product or the like.", "warning")
        )
        return ProductShown(product_panel(product), status, room_cards(used, others))

    def _rooms(self, product_id: str, where: SceneFilter | None = None) -> Sequence[SceneHit]:
        return self._client.search_scenes(
            ProductQuery(product_id),
            filter=where,
            page_size=ROOMS_SHOWN,
            max_regions_per_scene=BOXES_SHOWN,
            deadline_s=self._deadline_s,
        ).hits

    def list_products(self, category: str, page_token: str = "") -> str:
        """A page of the catalogue as cards, or a sentence."""
        try:
            page: ProductPage = self._client.list_products(
                categories=(category,) if category else (),
                page_size=PRODUCTS_LISTED,
                page_token=page_token,
                deadline_s=self._deadline_s,
            )
        except Exception as problem:
            return note(sentence(problem), "error")
        return (
            catalog_cards(page, is_first=not page_token)
            if page.products
            else note("There is no product here.")
        )
