"""The lines of a text file that may be anything, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_LINE_BYTES = 1_000_000
_SKIP_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end. Bytes that are no UTF-8 are kept as lone surrogates: see `is_utf8`."""

    number: int
    text: str
    too_long: bool = False
    """True when it has more than `MAX_LINE_BYTES` bytes; `text` is then empty."""


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of `path`, numbered from 1, without a byte-order mark and without CR or LF.

    A line over `MAX_LINE_BYTES` is skipped in small pieces, so that a file of one huge line costs no memory.
    """
    with path.open("rb") as source:
        number = 0
        while raw := source.readline(MAX_LINE_BYTES + 2):
            number += 1
            too_long = len(raw.rstrip(b"\r\n")) > MAX_LINE_BYTES
            piece = raw
            while not piece.endswith(b"\n") and too_long:
                piece = source.readline(_SKIP_BYTES)
                if not piece:
                    break
            if too_long:
                yield Line(number, "", too_long=True)
                continue
            if number == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            yield Line(number, raw.decode("utf-8", "surrogateescape").rstrip("\r\n"))


def is_utf8(text: str) -> bool:
    """Whether the bytes behind `text` were UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in text)
