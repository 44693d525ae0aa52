"""Products as HTML: cards of results and of the catalogue, and the panel of one product."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from services.search.client import Product, ProductHit, ProductPage
from ui.images import CARD_SIDE_PX, LARGE_SIDE_PX, image_address
from ui.markup import text
from ui.wording import category_text, price_text


def result_cards(hits: Sequence[ProductHit]) -> str:
    """The products found, best first."""
    cards = [
        _card(hit.product, hit.closest_image_id, f"{hit.score:.2f}", place=place)
        for place, hit in enumerate(hits, start=1)
    ]
    return f'<ol class="cards">{"".join(cards)}</ol>' if cards else ""


def catalog_cards(page: ProductPage, *, is_first: bool = True) -> str:
    """Products to choose from, with buttons for the next ones and for the first ones again."""
    cards = [
        _card(product, product.images[0].image_id if product.images else "") for product in page.products
    ]
    turns = [] if is_first else [("", "First products")]
    if page.next_page_token:
        turns.append((page.next_page_token, "More products"))
    buttons = "".join(
        f'<button type="button" class="more" data-event="more" data-token="{text(token)}">{label}</button>'
        for token, label in turns
    )
    return f'<ul class="cards cards-small">{"".join(cards)}</ul><p class="turns">{buttons}</p>'


def product_panel(product: Product) -> str:
    """Pictures and facts of one product."""
    pictures = "".join(
        f'<img src="{text(image_address(image.image_id, LARGE_SIDE_PX))}" alt="" '
        f'width="{image.width_px}" height="{image.height_px}" />'
        for image in product.images[:6]
    )
    facts = [
        ("Category", category_text(product.category)),
        ("Price", price_text(product.price, product.currency)),
    ]
    facts += [(category_text(name).capitalize(), value) for name, value in sorted(product.attributes.items())]
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts if value)
    link = (
        f'<a class="shop" href="{text(product.url)}" target="_blank" rel="noopener noreferrer nofollow">'
        f"See it at {text(urlsplit(product.url).hostname)}</a>"
        if is_web_address(product.url)
        else ""
    )
    return (
        f'<article class="product"><div class="pictures">{pictures}</div>'
        f'<div class="facts"><h2>{text(product.title)}</h2><dl>{rows}</dl>{link}</div></article>'
    )


def is_web_address(url: str) -> bool:
    """Whether a link may be shown: http or https with a host, never javascript: or data:."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _card(product: Product, image_id: str, score: str = "", place: int = 0) -> str:
    price = price_text(product.price, product.currency)
    picture = (
        f'<img src="{text(image_address(image_id, CARD_SIDE_PX))}" alt="" loading="lazy" decoding="async" />'
        if image_id
        else ""
    )
    mark = f'<span class="score" title="Similarity, at most 1">{text(score)}</span>' if score else ""
    label = ", ".join(
        part
        for part in (
            f"{place}" if place else "",
            product.title,
            category_text(product.category),
            price,
            f"similarity {score}" if score else "",
            "show its rooms",
        )
        if part
    )
    return (
        '<li><button type="button" class="card" data-event="product" '
        f'data-product="{text(product.product_id)}" '
        f'aria-label="{text(label)}"><span class="frame">{picture}{mark}</span>'
        f'<span class="title">{text(product.title)}</span>'
        f'<span class="line"><span>{text(category_text(product.category))}</span>'
        f"<b>{text(price)}</b></span></button></li>"
    )
