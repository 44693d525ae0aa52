"""Bounds the work that is in flight, so that memory and waiting are bounded too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from services.embedder import metrics
from services.runtime.errors import Busy


class Admission:
    """Permits for crops in flight; to be used on one event loop.

    Unary calls and bulk streams have permits of their own, so that an import in progress does not turn
    a person's search away. A unary call that finds none is refused at once. A stream waits, and lets
    gRPC's flow control hold its client back.

    Args:
        max_interactive: crops of unary calls.
        max_bulk: images of all bulk streams together.
    """

    def __init__(self, max_interactive: int, max_bulk: int) -> None:
        self._max_interactive = max_interactive
        self._interactive = 0
        self._bulk = asyncio.Semaphore(max_bulk)

    @contextmanager
    def interactive(self, crops: int) -> Iterator[None]:
        """Hold permits for the crops of a unary call.

        A call of more crops than there are permits is admitted when nothing else is in flight.

        Raises:
            Busy: not enough permits are free.
        """
        cost = min(max(crops, 1), self._max_interactive)
        if self._interactive + cost > self._max_interactive:
            raise Busy("EMBEDDER_BUSY", "The embedder is busy; try again in a moment.", retry_after_s=0.5)
        self._interactive += cost
        metrics.IN_FLIGHT.labels("interactive").inc(cost)
        try:
            yield
        finally:
            self._interactive -= cost
            metrics.IN_FLIGHT.labels("interactive").dec(cost)

    @asynccontextmanager
    async def bulk(self) -> AsyncIterator[None]:
        """Wait for the permit of one image of a stream, and hold it."""
        async with self._bulk:
            metrics.IN_FLIGHT.labels("bulk").inc()
            try:
                yield
            finally:
                metrics.IN_FLIGHT.labels("bulk").dec()
