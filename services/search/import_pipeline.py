"""The shape of every import: many items at work, written in batches, answered in order.

    requests -> prepare (checks, images, embeddings; many at once)
             -> commit  (one writer; takes what has piled up while it wrote)
             -> answers in the order of the requests, each after its item is durable

Bounded by items and by bytes: a client may write as fast as it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from google.protobuf.message import Message

Request = TypeVar("Request", bound=Message)
Item = TypeVar("Item")
Response = TypeVar("Response")


class ImportPipeline(Generic[Request, Item, Response]):
    """One import stream.

    Args:
        item_type: what `prepare` gives for an item that is to be written.
        prepare: checks and embeds one request; runs for many at once.
        commit: writes items durably; runs for one batch at a time.
        answer: the answer for an item that was written.
        discard: gives back what an item holds that will not be written, as the client left.
        item_id: items of one id are prepared one after the other, so that the last one wins.
        window: most requests at work.
        window_bytes: most bytes of requests at work; a larger request works alone.
        batch: most items of a commit.
    """

    def __init__(
        self,
        *,
        item_type: type[Item],
        prepare: Callable[[Request], Awaitable[Item | Response]],
        commit: Callable[[Sequence[Item]], Awaitable[None]],
        answer: Callable[[Item], Response],
        discard: Callable[[Item], None],
        item_id: Callable[[Request], str],
        window: int,
        window_bytes: int,
        batch: int,
    ) -> None:
        self._item_type = item_type
        self._prepare = prepare
        self._commit = commit
        self._answer = answer
        self._discard = discard
        self._item_id = item_id
        self._batch = batch
        self._budget = _Budget(window, window_bytes)
        self._answers: asyncio.Queue[asyncio.Task[Response] | None] = asyncio.Queue()
        self._to_write: asyncio.Queue[tuple[Item, asyncio.Future[None]]] = asyncio.Queue()
        self._at_work: set[asyncio.Task[Response]] = set()
        self._latest: dict[str, asyncio.Task[Response]] = {}

    async def run(self, requests: AsyncIterator[Request]) -> AsyncIterator[Response]:
        """One answer for each request, in their order. Raises the first error that is not an item's own."""
        reader = asyncio.create_task(self._read(requests))
        writer = asyncio.create_task(self._write())
        try:
            while (task := await self._answers.get()) is not None:
                yield await task
            await reader  # raises what ended the requests
        finally:
            leftovers = (reader, writer, *self._at_work)
            for leftover in leftovers:
                leftover.cancel()
            await asyncio.gather(*leftovers, return_exceptions=True)
            while not self._to_write.empty():
                self._discard(self._to_write.get_nowait()[0])

    async def _read(self, requests: AsyncIterator[Request]) -> None:
        try:
            async for request in requests:
                size = request.ByteSize()
                await self._budget.take(size)
                item_id = self._item_id(request)
                task = asyncio.create_task(self._handle(request, size, self._latest.get(item_id)))
                self._latest[item_id] = task
                self._at_work.add(task)
                task.add_done_callback(lambda done, item_id=item_id: self._forget(item_id, done))  # type: ignore[misc]
                self._answers.put_nowait(task)
        finally:
            self._answers.put_nowait(None)

    def _forget(self, item_id: str, done: asyncio.Task[Response]) -> None:
        self._at_work.discard(done)
        if not done.cancelled():
            done.exception()  # seen: the stream may have ended with another one's
        if self._latest.get(item_id) is done:
            del self._latest[item_id]

    async def _handle(self, request: Request, size: int, before: asyncio.Task[Response] | None) -> Response:
        try:
            if before is not None:
                await asyncio.wait([before])
            prepared = await self._prepare(request)
            if not isinstance(prepared, self._item_type):
                return prepared  # type: ignore[return-value]
            written = asyncio.get_running_loop().create_future()
            self._to_write.put_nowait((prepared, written))
            await written
            return self._answer(prepared)
        finally:
            self._budget.give_back(size)

    async def _write(self) -> None:
        while True:
            waiting = [await self._to_write.get()]
            while len(waiting) < self._batch and not self._to_write.empty():
                waiting.append(self._to_write.get_nowait())
            try:
                await self._commit([item for item, _ in waiting])
            except Exception as error:  # every waiter hears of it, and ends the stream
                for _, written in waiting:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in waiting:
                    if not written.done():
                        written.set_result(None)


class _Budget:
    """How many requests, and bytes of them, are at work."""

    def __init__(self, most_items: int, most_bytes: int) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._items = 0
        self._bytes = 0
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        while self._items and (self._items >= self._most_items or self._bytes + size > self._most_bytes):
            self._freed.clear()
            await self._freed.wait()
        self._items += 1
        self._bytes += size

    def give_back(self, size: int) -> None:
        self._items -= 1
        self._bytes -= size
        self._freed.set()
