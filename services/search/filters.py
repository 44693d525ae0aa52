"""Filters of requests, checked and turned into conditions of the index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from insitu.search.v1 import search_pb2
from services.runtime.errors import InvalidInput
from services.search.index.port import AnyOf, Between, Condition, Where
from services.search.records import tag
from services.search.validation import checked_id

MAX_CATEGORIES = 50
MAX_PRODUCTS = 50
MAX_ATTRIBUTES = 20
MAX_ATTRIBUTE_VALUES = 50
MAX_ATTRIBUTE_NAME_CHARS = 100
# What imports accept as an attribute's value, the longest text that can be filtered on.
MAX_VALUE_CHARS = 2_000


def products_where(message: search_pb2.ProductFilter) -> Where:
    """Which points of products may be found. Raises InvalidInput."""
    conditions = [*_categories(message.categories), *_attributes(message.attributes)]
    low = message.price_min if message.HasField("price_min") else None
    high = message.price_max if message.HasField("price_max") else None
    for name, bound in (("price_min", low), ("price_max", high)):
        if bound is not None and not (math.isfinite(bound) and bound >= 0):
            raise InvalidInput(f"filter.{name}", "BAD_PRICE", f"{name} must be a finite number of 0 or more.")
    if low is not None and high is not None and low > high:
        raise InvalidInput("filter.price_max", "BAD_PRICE", "price_max must not be less than price_min.")
    if low is not None or high is not None:
        conditions.append(Between("price", low, high))
    return Where(tuple(conditions))


def regions_where(message: search_pb2.SceneFilter) -> Where:
    """Which points of regions may be found. Raises InvalidInput."""
    conditions = [*_categories(message.categories), *_attributes(message.attributes)]
    if message.exclude_proposed:
        conditions.append(AnyOf("proposed", (0,)))
    if len(message.product_ids) > MAX_PRODUCTS:
        text = f"At most {MAX_PRODUCTS} products can be asked for."
        raise InvalidInput("filter.product_ids", "TOO_MANY_VALUES", text)
    for number, product_id in enumerate(message.product_ids):
        checked_id(f"filter.product_ids[{number}]", product_id)
    if message.product_ids:
        conditions.append(AnyOf("product_id", tuple(message.product_ids)))
    return Where(tuple(conditions))


def categories_where(categories: Sequence[str], field: str = "filter.categories") -> Where:
    """Points with one of the categories; all points when there is none. Raises InvalidInput."""
    return Where(tuple(_categories(categories, field)))


def min_score_of(message: search_pb2.SearchProductsRequest | search_pb2.SearchScenesRequest) -> float | None:
    """The score cut-off, or None. Raises InvalidInput."""
    if not message.HasField("min_score"):
        return None
    if not math.isfinite(message.min_score):
        raise InvalidInput("min_score", "BAD_MIN_SCORE", "min_score must be a finite number.")
    return message.min_score


def _categories(categories: Sequence[str], field: str = "filter.categories") -> list[Condition]:
    if len(categories) > MAX_CATEGORIES:
        raise InvalidInput(field, "TOO_MANY_VALUES", f"At most {MAX_CATEGORIES} categories can be asked for.")
    _require_short(categories, field)
    return [AnyOf("category", tuple(categories))] if categories else []


def _attributes(attributes: Iterable[search_pb2.AttributeFilter]) -> list[Condition]:
    conditions: list[Condition] = []
    for number, wanted in enumerate(attributes):
        path = f"filter.attributes[{number}]"
        if number >= MAX_ATTRIBUTES:
            text = f"At most {MAX_ATTRIBUTES} attributes can be filtered on."
            raise InvalidInput("filter.attributes", "TOO_MANY_VALUES", text)
        if not 1 <= len(wanted.name) <= MAX_ATTRIBUTE_NAME_CHARS:
            text = f"The name of an attribute has 1 to {MAX_ATTRIBUTE_NAME_CHARS} characters."
            raise InvalidInput(f"{path}.name", "BAD_ATTRIBUTE", text)
        if not 1 <= len(wanted.values) <= MAX_ATTRIBUTE_VALUES:
            text = f"Give 1 to {MAX_ATTRIBUTE_VALUES} values of an attribute."
            raise InvalidInput(f"{path}.values", "BAD_ATTRIBUTE", text)
        _require_short(wanted.values, f"{path}.values")
        conditions.append(AnyOf("tags", tuple(tag(wanted.name, value) for value in wanted.values)))
    return conditions


def _require_short(values: Iterable[str], field: str) -> None:
    if any(len(value) > MAX_VALUE_CHARS for value in values):
        text = f"A value to filter on has at most {MAX_VALUE_CHARS:,} characters."
        raise InvalidInput(field, "TOO_LONG", text)
