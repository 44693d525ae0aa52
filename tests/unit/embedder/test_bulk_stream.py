"""Bounded concurrent answers to a stream."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.embedder.bulk_stream import answer_all


class Source:
    """Counts how many requests were read."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for number in range(self.count):
            self.read += 1
            yield number


async def test_every_request_is_answered_once() -> None:
    async def answer(number: int) -> int:
        await asyncio.sleep(0.001 * (number % 3))
        return number

    answers = [each async for each in answer_all(aiter(Source(50)), answer, window=7)]
    assert sorted(answers) == list(range(50))


async def test_answers_come_in_the_order_of_completion() -> None:
    first_may_end = asyncio.Event()

    async def answer(number: int) -> int:
        if number == 0:
            await first_may_end.wait()
        return number

    answers = []
    async for each in answer_all(aiter(Source(3)), answer, window=3):
        answers.append(each)
        if len(answers) == 2:
            first_may_end.set()
    assert answers == [1, 2, 0]


async def test_no_more_than_the_window_is_read_before_answers_are_taken() -> None:
    source = Source(100)

    async def answer(number: int) -> int:
        return number

    answers = answer_all(aiter(source), answer, window=5)
    await anext(answers)
    await asyncio.sleep(0.02)
    assert source.read <= 6
    await answers.aclose()  # type: ignore[attr-defined]


async def test_leaving_cancels_what_is_in_flight() -> None:
    cancelled: list[int] = []

    async def answer(number: int) -> int:
        if number == 0:
            return 0
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    answers = answer_all(aiter(Source(100)), answer, window=4)
    assert await anext(answers) == 0
    await asyncio.sleep(0)
    await answers.aclose()  # type: ignore[attr-defined]
    assert len(cancelled) >= 3


async def test_an_exception_of_an_answer_ends_the_stream() -> None:
    async def answer(number: int) -> int:
        if number == 3:
            raise RuntimeError("broken")
        return number

    with pytest.raises(RuntimeError, match="broken"):
        async for _ in answer_all(aiter(Source(100)), answer, window=2):
            pass


async def test_an_exception_of_the_source_ends_the_stream() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        raise ConnectionResetError("client gone")

    async def answer(number: int) -> int:
        return number

    with pytest.raises(ConnectionResetError):
        async for _ in answer_all(source(), answer, window=2):
            pass
