"""Sentences for visitors: errors, prices, counts."""

from __future__ import annotations

import structlog

from services.imaging import BoxRefused, ImageRefused
from services.runtime.errors import (
    Busy,
    DeadlineExceeded,
    InsituError,
    InvalidInput,
    NotFound,
    NotReady,
    Unauthenticated,
    Unavailable,
)

_log = structlog.get_logger("ui")

SEARCH_DOWN = "The search service cannot be reached. Try again in a moment."
PHOTO_GONE = "The photo is not kept here any more: choose it again."


def sentence(problem: Exception) -> str:
    """One plain sentence for an error, without paths or internals. Unexpected ones are logged."""
    if isinstance(problem, ImageRefused | BoxRefused):
        return problem.message
    if isinstance(problem, InsituError):
        return _sentence_of_service(problem)
    _log.error("handler failed", exc_info=problem)
    return "Something went wrong on this page. Try again; if it stays so, tell whoever runs it."


def _sentence_of_service(problem: InsituError) -> str:
    own_words = problem.reason != "TRANSPORT"
    if isinstance(problem, Unavailable):
        return problem.message if own_words else SEARCH_DOWN
    if isinstance(problem, DeadlineExceeded):
        return "The search took too long and was given up. Try again."
    if isinstance(problem, Busy):
        return "The search is busy at the moment. Try again in a second."
    if isinstance(problem, Unauthenticated):
        return "The search service does not accept this page's token: whoever runs it must set the right one."
    if isinstance(problem, InvalidInput | NotFound | NotReady) and own_words:
        return problem.message
    _log.error("search failed", code=problem.code.name, reason=problem.reason)
    return "The search service had a problem. Try again; if it stays so, tell whoever runs it."


def price_text(price: float | None, currency: str) -> str:
    """A price for people, such as "EUR 1,299.00", or "" when unknown."""
    if price is None:
        return ""
    number = f"{price:,.0f}" if price == int(price) and price >= 1000 else f"{price:,.2f}"
    return f"{currency} {number}".strip()


def category_text(category: str) -> str:
    """A category for people: catalogs often spell them like identifiers."""
    return category.replace("_", " ")


def counted(number: int, word: str) -> str:
    """A number with its word: 1 product, 12 products."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def seconds_text(elapsed_s: float) -> str:
    """How long something took: "0.18 s"."""
    return f"{max(elapsed_s, 0.01):.2f} s"
