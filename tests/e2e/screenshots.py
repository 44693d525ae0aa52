"""Pictures of the page for docs/: ``python -m tests.e2e.screenshots OUT [--search ADDRESS]``.

Starts the real services on colored shapes, or uses those at ADDRESS, walks through the main
views at three sizes and in both themes, and writes JPEG files.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.e2e.browser import CHROMIUM, CHROMIUM_ARGUMENTS, wait_for_results
from tests.live_stack import running_stack
from ui.config import UiConfig
from ui.server import PageServer

SIZES = {"desktop": (1280, 900), "tablet": (820, 1100), "phone": (390, 844)}


def main() -> None:
    """Parse the command line and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--search", help="address of a running search service; one is started without it")
    parser.add_argument("--example", type=int, default=0, help="which example room to open")
    parser.add_argument("--region", type=int, default=0, help="which of its dashed boxes to take")
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--themes", nargs="*", default=["light", "dark"], choices=["light", "dark"])
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (
        _search_service(arguments.search) as address,
        PageServer(UiConfig(port=0, search_address=address)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGUMENTS)
        for size in arguments.sizes:
            for theme in arguments.themes:
                suffix = f"{size}" if theme == "light" else f"{size}-dark"
                choice = (arguments.example, arguments.region)
                _walk(browser, server.address, arguments.out, size, suffix, theme, choice)
        browser.close()


@contextlib.contextmanager
def _search_service(address: str | None) -> Iterator[str]:
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder, running_stack(Path(folder)) as stack:
        yield stack.search_address


def _walk(
    browser: Browser, address: str, out: Path, size: str, suffix: str, theme: str, choice: tuple[int, int]
) -> None:
    example, region = choice
    width, height = SIZES[size]
    is_phone = size == "phone"
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        device_scale_factor=2 if is_phone else 1,
        has_touch=is_phone,
        is_mobile=is_phone,
    )
    page = context.new_page()
    page.goto(address)
    page.locator("#examples .example").first.wait_for()
    _settle(page)
    _save(page, out / f"start-{suffix}.jpg")
    page.locator("#examples .example").nth(example).click()
    page.locator(".bp-region").first.wait_for()
    _settle(page)
    _save(page, out / f"room-{suffix}.jpg")
    page.locator(".bp-region").nth(region).focus()
    page.keyboard.press("Enter")
    wait_for_results(page)
    page.mouse.move(1, 1)
    _settle(page)
    _save(page, out / f"products-{suffix}.jpg")
    page.locator("#results .card").first.click()
    page.locator("#rooms .room").first.wait_for()
    _settle(page)
    _save(page, out / f"product-{suffix}.jpg")
    page.locator("#chooser button").first.click()
    _settle(page)
    page.evaluate("window.scrollTo(0, 0)")
    _save(page, out / f"chooser-{suffix}.jpg")
    context.close()


def _settle(page: Page) -> None:
    """Wait until the pictures in view are loaded and nothing moves."""
    page.wait_for_timeout(500)
    page.wait_for_function(
        """() => [...document.images].every((image) => {
          const { top, left, width } = image.getBoundingClientRect();
          return image.complete || !width || top > innerHeight || left > innerWidth;
        })"""
    )


def _save(page: Page, file: Path) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.save(file, quality=85, optimize=True)


if __name__ == "__main__":
    main()
