"""What the commands have to say, on a terminal and in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

PLAIN_EVERY_S = 5.0


class CommandFailed(Exception):
    """The command cannot go on. The text is one sentence for a person."""


def say_error(sentence: str) -> None:
    """Write one sentence to standard error."""
    print(f"insitu: {printable(sentence)}", file=sys.stderr)


def printable(text: str) -> str:
    """`text` on one line without control characters, which a catalogue could use to drive the terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def say_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, tab-separated with a header line elsewhere."""
    clean = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in [list(columns), *clean]:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in clean:
        table.add_row(*map(Text, row))
    Console().print(table)


class Progress(Protocol):
    """Told how far a long job is."""

    def advance(self, count: int = 1) -> None:
        """`count` more are done."""


@contextmanager
def progress(title: str, total: int, unit: str) -> Iterator[Progress]:
    """A bar with rate and time left on a terminal; elsewhere a line now and then, and one at the end."""
    if sys.stderr.isatty():
        with _bar(title, total, unit) as bar:
            yield bar
    else:
        lines = _Lines(title, total, unit)
        yield lines
        lines.end()


@contextmanager
def _bar(title: str, total: int, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=total, rate="")

        class Bar:
            def advance(self, count: int = 1) -> None:
                speed = bars.tasks[0].speed
                bars.update(task, advance=count, rate=f"{speed:,.0f} {unit}/s" if speed else "")

        yield Bar()


class _Lines:
    def __init__(self, title: str, total: int, unit: str) -> None:
        self._title, self._total, self._unit = title, total, unit
        self._done = 0
        self._started = self._said = time.monotonic()

    def advance(self, count: int = 1) -> None:
        self._done += count
        now = time.monotonic()
        if now - self._said >= PLAIN_EVERY_S:
            self._said = now
            rate = self._done / (now - self._started)
            left_s = max(self._total - self._done, 0) / rate if rate else 0
            print(
                f"{self._title}: {self._done:,} of {self._total:,}, {rate:,.1f} {self._unit}/s, "
                f"{left_s:,.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def end(self) -> None:
        took_s = time.monotonic() - self._started
        print(f"{self._title}: {self._done:,} {self._unit} in {took_s:,.1f} s", file=sys.stderr, flush=True)
