"""A real search service and embedder, the page, and a real browser.

Everything lives as long as this folder's tests: Playwright's event loop would disturb
asyncio tests that run while it is open.
"""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from services.runtime.config import ClientConfig
from services.search.client import (
    ImageFile,
    PhotoQuery,
    Product,
    ProductFilter,
    ProductResults,
    ProductUpload,
    Query,
    SearchClient,
)
from tests.battery_images import jpeg
from tests.e2e.browser import CHROMIUM, CHROMIUM_ARGUMENTS
from tests.live_stack import running_stack
from ui.config import UiConfig
from ui.server import PageServer

HOSTILE_TITLE = '<img src=x onerror="window.hacked=1"> ${window.hacked=2} {{window.hacked}}'
HOSTILE_CATEGORY = "<b>odd</b>"


# gradio makes event loops that it neither uses nor closes; whose tests run when they are collected is chance.
GRADIO_LOOPS = (
    "ignore:Exception ignored in. <(socket.socket|function BaseEventLoop):"
    "pytest.PytestUnraisableExceptionWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.filterwarnings(GRADIO_LOOPS))


class RecordingClient(SearchClient):
    """The real client; remembers what was searched for."""

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self.queries: list[Query] = []

    def search_products(
        self,
        query: Query,
        *,
        filter: ProductFilter | None = None,  # noqa: A002
        min_score: float | None = None,
        page_size: int = 20,
        page_token: str = "",
        deadline_s: float = 10.0,
    ) -> ProductResults:
        self.queries.append(query)
        return super().search_products(
            query,
            filter=filter,
            min_score=min_score,
            page_size=page_size,
            page_token=page_token,
            deadline_s=deadline_s,
        )


@dataclasses.dataclass(frozen=True)
class RunningPage:
    """The page under test and what it asked the search service."""

    address: str
    client: RecordingClient

    def last_photo_query(self) -> PhotoQuery:
        query = self.client.queries[-1]
        assert isinstance(query, PhotoQuery)
        return query


@pytest.fixture(scope="package")
def search_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        with SearchClient(ClientConfig(stack.search_address)) as client:
            product = Product("P-HOSTILE", HOSTILE_TITLE, HOSTILE_CATEGORY)
            list(client.import_products([ProductUpload(product, [ImageFile(jpeg)])]))
        yield stack.search_address


@pytest.fixture(scope="package")
def running_page(search_address: str) -> Iterator[RunningPage]:
    client = RecordingClient(ClientConfig(search_address))
    with PageServer(UiConfig(port=0, search_address=search_address), client) as server:
        yield RunningPage(server.address, client)
    del server
    gc.collect()  # here, where the filter above holds, not in the middle of other tests


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("there is no Chromium: install it, or name one in INSITU_TEST_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def foreign_requests() -> list[str]:
    """Addresses of other hosts that the page asked for; must stay empty."""
    return []


def _open(browser: Browser, address: str, foreign: list[str], **options: object) -> Iterator[Page]:
    context = browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(20_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("request", lambda request: _note_foreign(request.url, address, foreign))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(address)
    page.locator("#examples .example").first.wait_for()
    yield page
    context.close()
    assert foreign == []
    assert problems == []


def _note_foreign(url: str, address: str, foreign: list[str]) -> None:
    if not url.startswith((address, "data:", "blob:")):
        foreign.append(url)


@pytest.fixture
def desktop(chromium: Browser, running_page: RunningPage, foreign_requests: list[str]) -> Iterator[Page]:
    """A laptop's browser on the page."""
    yield from _open(
        chromium, running_page.address, foreign_requests, viewport={"width": 1280, "height": 900}
    )


@pytest.fixture
def phone(chromium: Browser, running_page: RunningPage, foreign_requests: list[str]) -> Iterator[Page]:
    """A phone's browser on the page."""
    yield from _open(
        chromium,
        running_page.address,
        foreign_requests,
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
