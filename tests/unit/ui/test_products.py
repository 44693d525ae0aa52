from __future__ import annotations

import pytest

from services.search.client import Image, Product, ProductHit, ProductPage
from ui.products import catalog_cards, is_web_address, product_panel, result_cards

HOSTILE = "<img src=x onerror=\"alert('x')\"> ${alert(1)} {{x}}"
IMAGE = Image("sha256:" + "0" * 64, 300, 200)


def product(**changes: object) -> Product:
    facts: dict[str, object] = {
        "product_id": "P-1",
        "title": "Red sofa",
        "category": "two_seater",
        "price": 1299.0,
        "currency": "EUR",
        "images": (IMAGE,),
    }
    return Product(**(facts | changes))  # type: ignore[arg-type]


def test_a_card_has_picture_title_category_price_and_score() -> None:
    card = result_cards([ProductHit(product(), 0.8347, IMAGE.image_id)])

    for part in ("Red sofa", "two seater", "EUR 1,299", "0.83", "catalog-image/sha256%3A000"):
        assert part in card


def test_every_text_of_a_product_is_escaped() -> None:
    hostile = product(
        product_id='"><script>',
        title=HOSTILE,
        category=HOSTILE,
        currency=HOSTILE,
        attributes={HOSTILE: HOSTILE},
    )

    for markup in (
        result_cards([ProductHit(hostile, 1.0, '"><script>')]),
        catalog_cards(ProductPage((hostile,), '"><script>')),
        product_panel(hostile),
    ):
        assert "<script" not in markup
        assert "<img src=x" not in markup
        assert 'onerror="' not in markup


@pytest.mark.parametrize(
    ("url", "is_shown"),
    [
        ("https://shop.example/x", True),
        ("http://shop.example", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https:", False),
        ("//shop.example", False),
        ("http://[", False),
        ("http://:80", False),
        ("", False),
    ],
)
def test_only_web_addresses_become_links(url: str, is_shown: bool) -> None:
    assert is_web_address(url) is is_shown
    assert ("href=" in product_panel(product(url=url))) is is_shown


def test_a_link_says_where_it_leads() -> None:
    assert "See it at shop.example</a>" in product_panel(product(url="https://shop.example/sofas/1"))


def test_a_product_without_price_or_image_still_has_a_card() -> None:
    assert "Red sofa" in catalog_cards(ProductPage((product(price=None, images=()),), ""))


def test_a_page_leads_to_the_next_and_back_to_the_first() -> None:
    first = catalog_cards(ProductPage((product(),), "t2"))
    last = catalog_cards(ProductPage((product(),), ""), is_first=False)

    assert 'data-token="t2"' in first
    assert "First products" not in first
    assert 'data-token=""' in last
    assert "More products" not in last


def test_no_hits_make_no_list() -> None:
    assert result_cards([]) == ""
