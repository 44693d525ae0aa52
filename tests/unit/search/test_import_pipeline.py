"""The import pipeline: order, bounds, errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from insitu.search.v1 import catalog_pb2
from services.search.import_pipeline import ImportPipeline

Request = catalog_pb2.GetImageRequest  # any message will do: an id and a number


async def requests_of(*pairs: tuple[str, int]) -> AsyncIterator[Request]:
    for image_id, number in pairs:
        yield Request(image_id=image_id, max_side_px=number)


class Recorder:
    """Prepares at a pace that depends on the request, writes what it is given."""

    def __init__(self, window: int = 8, window_bytes: int = 10_000, batch: int = 4) -> None:
        self.batches: list[list[str]] = []
        self.at_work = self.most_at_work = 0
        self.fail_commit = False
        self.commit_s = 0.002
        self.committing: list[str] = []
        self.discarded: list[str] = []
        self.pipeline = ImportPipeline[Request, str, int](
            item_type=str,
            prepare=self.prepare,
            commit=self.commit,
            answer=lambda item: int(item.partition("/")[2]),
            discard=self.discarded.append,
            item_id=lambda request: request.image_id,
            window=window,
            window_bytes=window_bytes,
            batch=batch,
        )

    async def prepare(self, request: Request) -> str | int:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        await asyncio.sleep(0.001 * (7 * request.max_side_px % 5))
        self.at_work -= 1
        if request.image_id == "refused":
            return -request.max_side_px
        if request.image_id == "bug":
            raise RuntimeError("bug")
        return f"{request.image_id}/{request.max_side_px}"

    async def commit(self, items: Sequence[str]) -> None:
        self.committing = list(items)
        await asyncio.sleep(self.commit_s)
        if self.fail_commit:
            raise OSError("disk full")
        self.batches.append(list(items))

    async def answers(self, *pairs: tuple[str, int]) -> list[int]:
        return [answer async for answer in self.pipeline.run(requests_of(*pairs))]


async def test_answers_come_in_the_order_of_the_requests() -> None:
    recorder = Recorder()
    pairs = [(f"id{n}" if n % 4 else "refused", n) for n in range(1, 60)]
    assert await recorder.answers(*pairs) == [n if n % 4 else -n for n in range(1, 60)]
    assert 2 <= recorder.most_at_work <= 8
    assert max(map(len, recorder.batches)) <= 4


async def test_items_of_one_id_are_written_in_order() -> None:
    recorder = Recorder()
    await recorder.answers(*[("same", n) for n in range(20)])
    assert [item for batch in recorder.batches for item in batch] == [f"same/{n}" for n in range(20)]


async def test_bytes_at_work_are_bounded_and_a_larger_item_works_alone() -> None:
    recorder = Recorder(window_bytes=1)
    assert await recorder.answers(*[(f"id{n}", n) for n in range(1, 10)]) == list(range(1, 10))
    assert recorder.most_at_work == 1


async def test_a_bug_in_one_item_ends_the_stream_and_leaves_nothing_running() -> None:
    recorder = Recorder()
    before = asyncio.all_tasks()
    with pytest.raises(RuntimeError, match="bug"):
        await recorder.answers(*[(f"id{n}", n) for n in range(10)], ("bug", 1), ("after", 2))
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def test_a_failed_write_reaches_every_waiter_and_ends_the_stream() -> None:
    recorder = Recorder()
    recorder.fail_commit = True
    with pytest.raises(OSError, match="disk full"):
        await recorder.answers(*[(f"id{n}", n) for n in range(10)])


async def test_failing_requests_end_the_stream_after_what_was_read() -> None:
    async def broken() -> AsyncIterator[Request]:
        yield Request(image_id="a", max_side_px=1)
        raise ConnectionError("client gone")

    recorder = Recorder()
    got: list[int] = []
    with pytest.raises(ConnectionError):
        async for answer in recorder.pipeline.run(broken()):
            got += [answer]
    assert got == [1]


async def test_a_client_that_leaves_gets_every_unwritten_item_discarded() -> None:
    recorder = Recorder(batch=1)
    recorder.commit_s = 60
    before = asyncio.all_tasks()
    reading = asyncio.create_task(recorder.answers(*[(f"id{n}", n) for n in range(1, 5)]))
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    # The first was being written: `commit` gives back what it holds.
    assert sorted([*recorder.discarded, *recorder.committing]) == ["id1/1", "id2/2", "id3/3", "id4/4"]
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}


async def test_a_client_that_leaves_stops_items_that_a_later_one_of_the_same_id_waits_for() -> None:
    recorder = Recorder()
    recorder.commit_s = 60
    before = asyncio.all_tasks()
    reading = asyncio.create_task(recorder.answers(("same", 1), ("same", 2), ("same", 3)))
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
