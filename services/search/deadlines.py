"""The time that a call has left, and what to say when a dependency uses it up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from services.runtime.errors import Unavailable

# For a caller who sets no deadline.
DEFAULT_DEADLINE_S = 30.0
# Kept back for the answer to travel, so that the caller reads UNAVAILABLE and not its own timeout.
_RESERVE_PART = 0.1
_RESERVE_MOST_S = 0.25


class Deadline:
    """When the answer must leave.

    Args:
        remaining_s: what the caller grants, or None when it set no deadline.
    """

    def __init__(self, remaining_s: float | None) -> None:
        granted_s = DEFAULT_DEADLINE_S if remaining_s is None else min(remaining_s, DEFAULT_DEADLINE_S)
        self._end = time.monotonic() + granted_s - min(granted_s * _RESERVE_PART, _RESERVE_MOST_S)

    def left_s(self) -> float:
        """Seconds left; 0 at the end."""
        return max(0.0, self._end - time.monotonic())

    def bounds_index(self) -> AbstractAsyncContextManager[None]:
        """Raise Unavailable when the vector database takes longer than is left."""
        return self._bounds("INDEX_TIMEOUT", "The vector database did not answer in time.")

    def bounds_media(self) -> AbstractAsyncContextManager[None]:
        """Raise Unavailable when reading and scaling an image takes longer than is left."""
        return self._bounds("MEDIA_TIMEOUT", "The image could not be read in time.")

    @asynccontextmanager
    async def _bounds(self, reason: str, text: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self.left_s()):
                yield
        except TimeoutError as error:
            raise Unavailable(reason, text) from error
