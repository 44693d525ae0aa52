"""products, scenes and regions as tables: CSV, JSON Lines or Parquet, row by row.

A row becomes a dict of texts; whatever cannot be read becomes a `RowError`, and the next row follows.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.catalog.rows import RowError
from services.catalog.text_lines import MAX_LINE_BYTES, Line, is_utf8, read_lines

SUFFIXES = (".csv", ".jsonl", ".parquet")
MAX_LINES_PER_RECORD = 100
"""A quoted CSV value may span lines; more than this is taken for a quote that was never closed."""

UNREADABLE_REASONS = frozenset(
    {
        "BAD_ENCODING",
        "BAD_VALUE",
        "DUPLICATE_COLUMN",
        "FILE_EMPTY",
        "FILE_UNREADABLE",
        "LINE_TOO_LONG",
        "MALFORMED_ROW",
        "MISSING_COLUMN",
        "WRONG_LENGTH",
    }
)
"""Reasons of the errors made here: of such a row (or file) nobody knows which id it names."""


class CatalogUnreadableError(ValueError):
    """The folder as a whole cannot be read. The text is one sentence for a person."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: column to text, empty cells included."""

    line: int
    cells: dict[str, str]


def find_table(folder: Path, stem: str) -> Path | None:
    """`folder/stem` with one of the suffixes, or None.

    Raises CatalogUnreadableError when there are several: nobody could say which one counts.
    """
    found = [folder / f"{stem}{suffix}" for suffix in SUFFIXES if (folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise CatalogUnreadableError(f"{folder} has {names}: keep one of them.")
    return found[0] if found else None


def read_table(path: Path, required: Sequence[str]) -> Iterator[TableRow | RowError]:
    """Yield every row of `path` in order, a RowError for each that cannot be read.

    A column of `required` that is missing ends the table with one error for the whole file (CSV, Parquet) or
    is an error of each row (JSON Lines, whose rows may differ).
    """
    readers = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
    try:
        yield from readers[path.suffix](path, required)
    except OSError as error:
        yield RowError(path.name, 0, "FILE_UNREADABLE", f"{path.name} cannot be read: {error.strerror}.")


def _read_csv(path: Path, required: Sequence[str]) -> Iterator[TableRow | RowError]:
    lines = _PushBack(read_lines(path))
    header_error, columns = _csv_header(path.name, lines, required)
    if header_error:
        yield header_error
        return
    for line in lines:
        if line.too_long:
            yield _too_long(path.name, line)
        elif line.text.strip():
            yield _csv_record(path.name, line, lines, columns)


def _csv_header(name: str, lines: _PushBack, required: Sequence[str]) -> tuple[RowError | None, list[str]]:
    line = next(lines, None)
    if line is None:
        return RowError(name, 0, "FILE_EMPTY", f"{name} is empty: its first line must name the columns."), []
    if line.too_long:
        return _too_long(name, line), []
    if not is_utf8(line.text) or "\0" in line.text:
        return RowError(name, 1, "BAD_ENCODING", f"{name} is not UTF-8 text: save it as CSV UTF-8."), []
    try:
        columns = [column.strip() for column in next(csv.reader([line.text], strict=True), [])]
    except csv.Error:
        return RowError(name, 1, "MALFORMED_ROW", f"The first line of {name} is no list of columns."), []
    repeated = sorted({column for column in columns if column and columns.count(column) > 1})
    if repeated:
        return RowError(name, 1, "DUPLICATE_COLUMN", f"{name} has the column {repeated[0]} twice."), []
    return _missing_columns(name, columns, required), columns


def _csv_record(name: str, first: Line, lines: _PushBack, columns: list[str]) -> TableRow | RowError:
    """The record that starts at `first`; it takes further lines only if they complete a quoted value."""
    taken = [first]
    while True:
        try:
            values = next(csv.reader([f"{line.text}\n" for line in taken], strict=True), [])
            break
        except csv.Error as error:
            following = None
            if "unexpected end" in str(error) and len(taken) < MAX_LINES_PER_RECORD:
                following = next(lines, None)
            if following is not None and not following.too_long:
                taken.append(following)
                continue
            # The rows after an unclosed quote are good rows: give them back.
            lines.give_back([*taken[1:], *([following] if following else [])])
            # csv also stops at a value over 128 KB, which bounds what `taken` can hold.
            return RowError(name, first.number, "MALFORMED_ROW", "The quotes of this row do not match.")
    text = "\n".join(line.text for line in taken)
    if not is_utf8(text):
        return RowError(
            name, first.number, "BAD_ENCODING", "The row is not UTF-8 text: save the file as UTF-8."
        )
    if "\0" in text:
        return RowError(name, first.number, "MALFORMED_ROW", "The row has a zero byte.")
    if len(values) != len(columns):
        lines.give_back(taken[1:])
        return RowError(
            name,
            first.number,
            "WRONG_LENGTH",
            f"The row has {len(values)} values but the header names {len(columns)} columns.",
        )
    cells = {column: value.strip() for column, value in zip(columns, values, strict=True) if column}
    return TableRow(first.number, cells)


def _read_jsonl(path: Path, required: Sequence[str]) -> Iterator[TableRow | RowError]:
    for line in read_lines(path):
        if line.too_long:
            yield _too_long(path.name, line)
        elif not is_utf8(line.text):
            yield RowError(path.name, line.number, "BAD_ENCODING", "The row is not UTF-8 text.")
        elif line.text.strip():
            try:
                row = json.loads(line.text)
            except (ValueError, RecursionError):
                row = None
            if isinstance(row, dict):
                yield _row_of_values(path.name, line.number, row, required)
            else:
                yield RowError(path.name, line.number, "MALFORMED_ROW", "The line is not one JSON object.")


def _read_parquet(path: Path, required: Sequence[str]) -> Iterator[TableRow | RowError]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise CatalogUnreadableError(
            f"{path.name} needs pyarrow: install insitu[parquet], or save the table as CSV."
        ) from error
    try:
        with ParquetFile(path) as table:
            missing = _missing_columns(path.name, table.schema_arrow.names, required)
            if missing:
                yield missing
                return
            number = 0
            for batch in table.iter_batches(batch_size=500):
                for row in batch.to_pylist():
                    number += 1
                    yield _row_of_values(path.name, number, row, required)
    except ArrowException as error:
        first_line = (str(error).splitlines() or [""])[0]
        yield RowError(path.name, 0, "FILE_UNREADABLE", f"{path.name} is no sound Parquet file: {first_line}")


def _row_of_values(
    name: str, number: int, row: dict[str, Any], required: Sequence[str]
) -> TableRow | RowError:
    missing = [column for column in required if column not in row]
    if missing:
        return RowError(name, number, "MISSING_COLUMN", f"The row lacks {', '.join(missing)}.")
    cells: dict[str, str] = {}
    for column, value in row.items():
        if isinstance(value, (dict, list, bytes)):
            return RowError(name, number, "BAD_VALUE", f"{column} must be one text or number.")
        cells[column.strip()] = _text(value)
    if any("\0" in cell for cell in cells.values()):
        return RowError(name, number, "MALFORMED_ROW", "The row has a zero byte.")
    if any("\ud800" <= character <= "\udfff" for text in cells.items() for character in "".join(text)):
        # JSON can write half of a character ("\\ud800"), which no other format and no message can hold.
        return RowError(name, number, "BAD_ENCODING", "The row has half of a character.")
    return TableRow(number, cells)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip()


def _too_long(name: str, line: Line) -> RowError:
    return RowError(name, line.number, "LINE_TOO_LONG", f"The line is longer than {MAX_LINE_BYTES:,} bytes.")


def _missing_columns(name: str, columns: Sequence[str], required: Sequence[str]) -> RowError | None:
    missing = [column for column in required if column not in columns]
    if not missing:
        return None
    hint = (
        " Columns are separated by commas, not semicolons."
        if any(";" in column for column in columns)
        else ""
    )
    plural = "columns" if len(missing) > 1 else "column"
    return RowError(name, 1, "MISSING_COLUMN", f"{name} lacks the {plural} {', '.join(missing)}.{hint}")


class _PushBack(Iterator[Line]):
    """An iterator that takes lines back."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: list[Line] = []

    def __next__(self) -> Line:
        return self._returned.pop() if self._returned else next(self._lines)

    def give_back(self, lines: list[Line]) -> None:
        self._returned.extend(reversed(lines))
