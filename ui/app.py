"""The page's layout, and which event shows what where. What is shown is made by the views."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ui.box_picker import box_picker, picker_value
from ui.catalog_view import CatalogView
from ui.config import UiConfig
from ui.markup import panel
from ui.product_view import ProductView
from ui.room_view import Opened, Results, RoomView, Wish
from ui.session import Session
from ui.wording import category_text

TITLE = "InSitu: visual search for interior design"
ROOMS, PRODUCTS = "rooms", "products"
ALL_CATEGORIES = "All categories"
COUNTS = (12, 20, 40, 80)
RETRY_S = 3.0

_BRAND = """<header class="brand"><h1>InSitu</h1>
<p>Box an object in a room to find products like it; pick a product to see the rooms that use it.</p>
</header>"""
_HISTORY = Path(__file__).with_name("history.js")


@dataclass(frozen=True)
class Views:
    """What the page asks; each answers with finished markup."""

    rooms: RoomView
    products: ProductView
    catalog: CatalogView


def build_page(views: Views, config: UiConfig) -> gr.Blocks:
    """The page. It is not served yet: see `ui.server`."""
    page: gr.Blocks = _Page(views, config).blocks
    return page


class _Page:
    def __init__(self, views: Views, config: UiConfig) -> None:
        self._views = views
        self._config = config
        self._serial = itertools.count(1)
        # What an upload leaves behind when its visitor went away before the page could read it.
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 600)) as self.blocks:
            self._lay_out()
            self._wire()

    # ---- layout

    def _lay_out(self) -> None:
        self.session = gr.State(
            Session(),
            time_to_live=self._config.photo_kept_s,
            delete_callback=lambda session: session.forget(),
        )
        self.retry = gr.Timer(RETRY_S, active=False)
        panel(_BRAND, script=_HISTORY.read_text(encoding="utf-8"))
        self.banner = panel(elem_id="banner")
        with gr.Tabs(selected=ROOMS, overflow_behavior="wrap", elem_id="views") as self.tabs:
            with gr.Tab("Room to products", id=ROOMS), gr.Row(equal_height=False, elem_classes="room-row"):
                with gr.Column(scale=6, min_width=320, elem_classes="photo-side"):
                    self.picker = box_picker(self._config.max_upload_bytes, elem_id="picker")
                    self.examples = panel(events=("scene", "more"), elem_id="examples")
                with gr.Column(scale=5, min_width=320, elem_classes="answer-side"):
                    with gr.Row(elem_classes="wishes"):
                        self.categories = gr.Dropdown(
                            [],
                            value=[],
                            multiselect=True,
                            label="Categories (none: all)",
                            scale=3,
                            min_width=180,
                            elem_id="categories",
                        )
                        self.count = gr.Dropdown(
                            list(COUNTS), value=20, label="Results", scale=1, min_width=90, elem_id="count"
                        )
                    self.status = panel(busy="#results", elem_id="status")
                    self.results = panel(events=("product",), elem_id="results")
            with gr.Tab("Product to rooms", id=PRODUCTS):
                with gr.Accordion("Choose a product", open=True, elem_id="chooser") as self.chooser:
                    self.browse_category = gr.Dropdown(
                        [ALL_CATEGORIES], value=ALL_CATEGORIES, label="Category", elem_id="browse-category"
                    )
                    self.browse = panel(events=("product", "more"), elem_id="browse")
                with gr.Row(equal_height=False, elem_classes="product-row"):
                    with gr.Column(scale=3, min_width=280, elem_classes="photo-side"):
                        self.product = panel(come_to_top=True, elem_id="product")
                    with gr.Column(scale=8, min_width=320):
                        self.room_status = panel(elem_id="room-status")
                        self.rooms = panel(events=("scene",), elem_id="rooms")

    # ---- wiring

    def _wire(self) -> None:
        room_side = [self.picker, self.status, self.results, self.session]
        wishes = [self.categories, self.count]
        catalog_side = [
            self.banner,
            self.retry,
            self.categories,
            self.browse_category,
            self.examples,
            self.browse,
        ]
        product_side = [self.tabs, self.chooser, self.product, self.room_status, self.rooms]
        self._on(self.blocks.load, self._refresh, [], catalog_side)
        self._on(self.retry.tick, self._refresh, [], catalog_side)
        self._on(self.picker.photo, self._photo, [self.session], room_side)
        self._on(self.picker.box, self._box, [self.session, *wishes], [self.status, self.results])
        self._on(self.picker.clear, self._clear, [self.session], [self.status, self.results])
        for wish in wishes:
            self._on(wish.input, self._search, [self.session, *wishes], [self.status, self.results])
        self._on(self.examples.scene, self._scene, [self.session, *wishes], [self.tabs, *room_side])
        self._on(self.examples.more, self._more_examples, [], [self.examples])
        self._on(self.rooms.scene, self._scene, [self.session, *wishes], [self.tabs, *room_side])
        for cards in (self.results, self.browse):
            self._on(cards.product, self._product, [self.session], product_side)
        self._on(self.browse_category.input, self._browse, [self.browse_category], [self.browse])
        self._on(self.browse.more, self._browse_more, [self.browse_category], [self.browse])

    def _on(
        self, event: Callable[..., Any], do: Callable[..., Any], inputs: list[Any], outputs: list[Any]
    ) -> None:
        # Private: these are the page's own calls, not an interface for programs.
        event(
            do,
            inputs,
            outputs,
            show_progress="hidden",
            trigger_mode="multiple",
            api_visibility="private",
            concurrency_id="page",
            concurrency_limit=self._config.max_searches,
        )

    # ---- events

    def _refresh(self) -> list[Any]:
        state = self._views.catalog.state()
        if not state.ready:
            return [state.banner, gr.Timer(active=True), *[gr.skip()] * 4]
        names = [(f"{category_text(name)} ({count:,})", name) for name, count in state.categories]
        return [
            "",
            gr.Timer(active=False),
            gr.Dropdown(choices=names),
            gr.Dropdown(choices=[ALL_CATEGORIES, *names]),
            state.examples,
            self._views.products.list_products(""),
        ]

    def _photo(self, session: Session, event: gr.EventData) -> list[Any]:
        return [*self._opened(self._views.rooms.open_upload(session, _data(event))), session]

    def _scene(self, session: Session, categories: list[str], count: int, event: gr.EventData) -> list[Any]:
        data = _data(event)
        opened = self._views.rooms.open_scene(
            session, str(data.get("scene", "")), str(data.get("region", "")), _wish(categories, count)
        )
        return [gr.Tabs(selected=ROOMS), *self._opened(opened), session]

    def _box(self, session: Session, categories: list[str], count: int, event: gr.EventData) -> list[Any]:
        return _shown(self._views.rooms.take_box(session, _data(event), _wish(categories, count)))

    def _clear(self, session: Session) -> list[Any]:
        return _shown(self._views.rooms.clear(session))

    def _search(self, session: Session, categories: list[str], count: int) -> list[Any]:
        return _shown(self._views.rooms.search(session, _wish(categories, count)))

    def _product(self, session: Session, event: gr.EventData) -> list[Any]:
        shown = self._views.products.open_product(session, str(_data(event).get("product", "")))
        if shown is None:
            return [gr.skip()] * 5
        chooser = gr.Accordion("Choose another product", open=False)
        return [gr.Tabs(selected=PRODUCTS), chooser, shown.panel, shown.status, shown.rooms]

    def _browse(self, category: str) -> str:
        return self._views.products.list_products(_category(category))

    def _browse_more(self, category: str, event: gr.EventData) -> str:
        return self._views.products.list_products(_category(category), str(_data(event).get("token", "")))

    def _more_examples(self, event: gr.EventData) -> str:
        return self._views.catalog.examples(str(_data(event).get("token", "")))

    def _opened(self, opened: Opened) -> list[Any]:
        value = picker_value(
            opened.picture, opened.message, self._config.max_upload_bytes, next(self._serial)
        )
        return [value, *_shown(opened.results)]


def _shown(results: Results | None) -> list[Any]:
    return [gr.skip(), gr.skip()] if results is None else [results.status, results.cards]


def _wish(categories: list[str] | None, count: int) -> Wish:
    return Wish(tuple(categories or ()), int(count))


def _category(choice: str) -> str:
    return "" if choice == ALL_CATEGORIES else choice


def _data(event: gr.EventData) -> Mapping[str, object]:
    """What the browser sent with an event: untrusted, and perhaps not even an object."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, dict) else {}
