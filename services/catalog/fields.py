"""One cell of a row: text in, a checked value or a `CellRefusedError` out."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from services.imaging import DEFAULT_LIMITS

MAX_ID_BYTES = 256
MAX_TITLE_CHARS = 500
MAX_CATEGORY_CHARS = 100
MAX_URL_CHARS = 2_000
MAX_ATTRIBUTES = 50
MAX_ATTRIBUTE_NAME_CHARS = 100
MAX_ATTRIBUTE_CHARS = 2_000
_URL = re.compile(r"https?://[^\s]+", re.IGNORECASE)


class CellRefusedError(ValueError):
    """A cell that cannot be used: a stable reason in capitals and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def identifier(cells: Mapping[str, str], column: str) -> str:
    """An id of 1 to 256 bytes."""
    text = required_text(cells, column, MAX_ID_BYTES)
    if len(text.encode()) > MAX_ID_BYTES:
        raise CellRefusedError("TOO_LONG", f"{column} has more than {MAX_ID_BYTES} bytes.")
    return text


def required_text(cells: Mapping[str, str], column: str, max_chars: int) -> str:
    """A text of 1 to `max_chars` characters on one line."""
    text = optional_text(cells, column, max_chars)
    if not text:
        raise CellRefusedError("EMPTY_VALUE", f"{column} is empty.")
    return text


def optional_text(cells: Mapping[str, str], column: str, max_chars: int) -> str:
    """A text of 0 to `max_chars` characters on one line; empty when the table has no such column."""
    text = cells.get(column, "")
    if len(text) > max_chars:
        raise CellRefusedError("TOO_LONG", f"{column} has more than {max_chars:,} characters.")
    _no_control_characters(column, text)
    return text


def title(cells: Mapping[str, str], column: str, max_chars: int) -> str:
    """As `required_text`; line breaks and tabs, which spreadsheets like to leave in titles, become spaces."""
    return required_text({column: " ".join(cells.get(column, "").split())}, column, max_chars)


def number(cells: Mapping[str, str], column: str) -> float:
    """A finite number, with a point as its decimal mark."""
    text = cells.get(column, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or "_" in text:
        raise CellRefusedError("BAD_NUMBER", f"{column} is {_quoted(text)}, not a number such as 129.5.")
    return value


def price(cells: Mapping[str, str]) -> float | None:
    """The price, 0 or more; None when the cell is empty or there is no such column."""
    if not cells.get("price"):
        return None
    value = number(cells, "price")
    if value < 0:
        raise CellRefusedError("BAD_NUMBER", f"price is {_quoted(cells['price'])}: it must be 0 or more.")
    return value


def currency(cells: Mapping[str, str]) -> str:
    """An ISO 4217 code in capitals, or empty."""
    text = cells.get("currency", "").upper()
    if text and not re.fullmatch(r"[A-Z]{3}", text):
        raise CellRefusedError("BAD_CURRENCY", f"currency is {_quoted(text)}, not a code such as EUR.")
    return text


def page_url(cells: Mapping[str, str]) -> str:
    """An http or https address, or empty."""
    text = optional_text(cells, "url", MAX_URL_CHARS)
    if text and not _URL.fullmatch(text):
        raise CellRefusedError("BAD_URL", f"url is {_quoted(text)}, not an http or https address.")
    return text


def further_columns(cells: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """The cells of columns that are not `known`, without the empty ones."""
    found = {name: text for name, text in cells.items() if text and name and name not in known}
    if len(found) > MAX_ATTRIBUTES:
        raise CellRefusedError(
            "TOO_MANY_ATTRIBUTES", f"The row has more than {MAX_ATTRIBUTES} further columns."
        )
    for name, text in found.items():
        if len(name) > MAX_ATTRIBUTE_NAME_CHARS or len(text) > MAX_ATTRIBUTE_CHARS:
            raise CellRefusedError(
                "TOO_LONG",
                f"{name[:60]} has more than {MAX_ATTRIBUTE_CHARS:,} characters, or its name over 100.",
            )
        _no_control_characters("The name of a column", name)
        _no_control_characters(name, text, allowed="\n\t")
    return found


def image_file(cells: Mapping[str, str], folder: Path) -> Path:
    """The file that the column `image` names, which must lie inside `folder` (a resolved path)."""
    text = required_text(cells, "image", 1_000)
    if _URL.match(text):
        raise CellRefusedError(
            "REMOTE_IMAGE_OFF", "Images by address are not fetched: put the file into the folder and name it."
        )
    # A path from another system's catalogue must not change its meaning here.
    if Path(text).is_absolute() or re.match(r"[A-Za-z]:|\\", text) or ".." in re.split(r"[/\\]", text):
        raise CellRefusedError(
            "IMAGE_OUTSIDE", f"The image {_quoted(text)} must be a path inside the folder."
        )
    try:
        path = (folder / text).resolve()
        if not path.is_relative_to(folder):
            raise CellRefusedError("IMAGE_OUTSIDE", f"The image {_quoted(text)} leads out of the folder.")
        missing = not path.is_file()
        size_bytes = 0 if missing else path.stat().st_size
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, CellRefusedError):
            raise
        missing, size_bytes = True, 0
    if missing:
        raise CellRefusedError("IMAGE_MISSING", f"There is no image {_quoted(text)} in the folder.")
    if size_bytes > DEFAULT_LIMITS.max_bytes:
        raise CellRefusedError(
            "TOO_BIG", f"The image {_quoted(text)} has more than {DEFAULT_LIMITS.max_bytes:,} bytes."
        )
    return path


def _no_control_characters(column: str, text: str, allowed: str = "") -> None:
    # As the search service: what it would refuse, a dry run must find.
    if any(unicodedata.category(character) == "Cc" and character not in allowed for character in text):
        raise CellRefusedError("CONTROL_CHARACTER", f"{column} has a control character, or a line break.")


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= 120 else f'"{text[:117]}..."'
