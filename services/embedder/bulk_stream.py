"""Answers a stream of requests concurrently, with a bounded number in flight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

Request = TypeVar("Request")
Response = TypeVar("Response")


async def answer_all(
    requests: AsyncIterator[Request], answer: Callable[[Request], Awaitable[Response]], *, window: int
) -> AsyncIterator[Response]:
    """Yield the answer to every request, in the order of completion.

    At most `window` requests are read and not yet answered: beyond that nothing is read, and gRPC's flow
    control holds the client back. A client that does not read its answers is held back in the same way,
    because a place is free again only after its answer was taken.

    An exception of `answer` or of `requests` ends the stream with it. When the consumer leaves (the call is
    cancelled), what is in flight is cancelled.
    """
    free = asyncio.Semaphore(window)
    finished: asyncio.Queue[asyncio.Task[Response] | None] = asyncio.Queue()
    in_flight: set[asyncio.Task[Response]] = set()

    async def answer_one(request: Request) -> Response:
        return await answer(request)

    async def read() -> None:
        try:
            await free.acquire()
            async for request in requests:
                task = asyncio.create_task(answer_one(request))
                in_flight.add(task)
                task.add_done_callback(finished.put_nowait)
                del request  # an image of megabytes, while waiting for the next place
                await free.acquire()
        finally:
            finished.put_nowait(None)

    reader = asyncio.create_task(read())
    reading = True
    try:
        while reading or in_flight:
            task = await finished.get()
            if task is None:
                reading = False
                await reader  # raises what reading raised
                continue
            in_flight.discard(task)
            yield task.result()
            free.release()
    finally:
        leftovers = [reader, *in_flight]
        for leftover in leftovers:
            leftover.cancel()
        await asyncio.gather(*leftovers, return_exceptions=True)
