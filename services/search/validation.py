"""Texts and numbers of imported items, checked; every refusal names the field."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import urlsplit

from insitu.search.v1 import catalog_types_pb2
from services.runtime.errors import InvalidInput
from services.search.entities import Product

MAX_ID_BYTES = 256
MAX_TITLE_CHARS = 500
MAX_CATEGORY_CHARS = 100
MAX_URL_CHARS = 2_000
MAX_ATTRIBUTES = 50
MAX_NAME_CHARS = 100
MAX_VALUE_CHARS = 2_000
_CURRENCY = re.compile(r"[A-Z]{3}")


def checked_product(message: catalog_types_pb2.Product) -> Product:
    """The product without images. Raises InvalidInput."""
    if message.images:
        raise InvalidInput(
            "product.images", "NOT_EMPTY", "Send the images beside the product, not inside it."
        )
    return Product(
        product_id=checked_id("product.product_id", message.product_id),
        title=_text("product.title", message.title, 0, MAX_TITLE_CHARS),
        category=_text("product.category", message.category, 1, MAX_CATEGORY_CHARS),
        price=_price(message.price) if message.HasField("price") else None,
        currency=_currency(message.currency),
        url=_url(message.url),
        attributes=checked_attributes("product.attributes", message.attributes),
    )


def checked_id(field: str, text: str) -> str:
    """An id of the catalogue: 1 to 256 bytes without control characters. Raises InvalidInput."""
    if not 1 <= len(text.encode()) <= MAX_ID_BYTES:
        raise InvalidInput(field, "BAD_ID", f"An id has 1 to {MAX_ID_BYTES} bytes.")
    _no_control_characters(field, text)
    return text


def checked_attributes(field: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes in the order of their names. Raises InvalidInput."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise InvalidInput(field, "TOO_MANY_ATTRIBUTES", f"At most {MAX_ATTRIBUTES} attributes are kept.")
    return {
        _text(field, name, 1, MAX_NAME_CHARS): _text(
            f"{field}[{name[:40]!r}]", value, 0, MAX_VALUE_CHARS, "\n\t"
        )
        for name, value in sorted(attributes.items())
    }


def _text(field: str, text: str, least: int, most: int, allowed_controls: str = "") -> str:
    if not least <= len(text) <= most:
        if not text:
            raise InvalidInput(field, "MISSING", "This must not be empty.")
        raise InvalidInput(field, "TOO_LONG", f"This has {len(text)} characters; at most {most} are kept.")
    _no_control_characters(field, text, allowed_controls)
    return text


def _no_control_characters(field: str, text: str, allowed: str = "") -> None:
    if any(unicodedata.category(char) in ("Cc", "Cs") and char not in allowed for char in text):
        raise InvalidInput(field, "CONTROL_CHARACTER", "Control characters are not accepted here.")


def _price(price: float) -> float:
    if not (math.isfinite(price) and price >= 0):
        raise InvalidInput("product.price", "BAD_PRICE", "A price is a finite number of 0 or more.")
    return price


def _currency(currency: str) -> str:
    if currency and not _CURRENCY.fullmatch(currency):
        raise InvalidInput(
            "product.currency", "BAD_CURRENCY", "A currency is three capital letters, such as EUR."
        )
    return currency


def _url(url: str) -> str:
    if not url:
        return url
    _text("product.url", url, 0, MAX_URL_CHARS)
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable or " " in url:
        raise InvalidInput("product.url", "BAD_URL", "An address starts with http:// or https:// and a host.")
    return url
