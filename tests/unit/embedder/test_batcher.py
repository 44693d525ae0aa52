"""The batcher alone, with engines that obey the test."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
import torch

from services.embedder.batcher import Batcher, EngineFailedError
from services.runtime.errors import DeadlineExceeded, Unavailable


class ScriptedEngine:
    """Gives each crop its first pixel as a 1-D embedding; waits at `gate` where the test closes it."""

    device = "cpu"
    name = "scripted"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.failures = 0

    def embed(self, pixels: torch.Tensor) -> np.ndarray:
        self.threads.add(threading.get_ident())
        self.started.set()
        assert self.gate.wait(10)
        self.batches.append(pixels[:, 0, 0, 0].tolist())
        if self.failures > 0:
            self.failures -= 1
            raise RuntimeError("device lost")
        return pixels[:, 0, 0, :1].float().numpy()


def crop(value: int) -> torch.Tensor:
    return torch.full((3, 2, 2), value, dtype=torch.uint8)


@asynccontextmanager
async def running(
    engine: ScriptedEngine, max_batch_size: int = 4, on_death: Callable[[], None] = lambda: None
) -> AsyncIterator[Batcher]:
    batcher = Batcher(engine, max_batch_size=max_batch_size, on_death=on_death)
    try:
        yield batcher
    finally:
        engine.gate.set()
        await asyncio.wait_for(batcher.close(), 10)


async def occupy(engine: ScriptedEngine, batcher: Batcher) -> "asyncio.Task[object]":
    """Keep the device busy with one crop until the gate opens."""
    engine.gate.clear()
    engine.started.clear()
    task: asyncio.Task[object] = asyncio.create_task(batcher.embed([crop(0)]))
    await asyncio.to_thread(engine.started.wait, 10)
    return task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_each_caller_gets_its_own_embeddings_in_order() -> None:
    engine = ScriptedEngine()
    async with running(engine) as batcher:
        answers = await asyncio.gather(*(batcher.embed([crop(i), crop(i + 100)]) for i in range(20)))
    assert [[e.vector[0] for e in answer] for answer in answers] == [[i, i + 100] for i in range(20)]
    assert len(engine.threads) == 1
    assert max(map(len, engine.batches)) <= 4


async def test_a_lone_caller_does_not_wait_for_company() -> None:
    engine = ScriptedEngine()
    async with running(engine) as batcher:
        (embedded,) = await batcher.embed([crop(1)])
    assert engine.batches == [[1]]
    assert embedded.wait_ms < 200


async def test_what_waited_while_the_device_was_busy_becomes_one_batch() -> None:
    engine = ScriptedEngine()
    async with running(engine, max_batch_size=8) as batcher:
        first = await occupy(engine, batcher)
        waiting = [asyncio.create_task(batcher.embed([crop(i)])) for i in range(1, 6)]
        await settle()
        engine.gate.set()
        await asyncio.gather(first, *waiting)
    assert engine.batches == [[0], [1, 2, 3, 4, 5]]


async def test_more_crops_than_a_batch_are_split() -> None:
    engine = ScriptedEngine()
    async with running(engine, max_batch_size=4) as batcher:
        answers = await batcher.embed([crop(i) for i in range(10)])
    assert [e.vector[0] for e in answers] == list(range(10))
    assert engine.batches == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


async def test_interactive_crops_go_before_bulk_ones() -> None:
    engine = ScriptedEngine()
    async with running(engine, max_batch_size=2) as batcher:
        first = await occupy(engine, batcher)
        bulk = [asyncio.create_task(batcher.embed([crop(10 + i)], bulk=True)) for i in range(3)]
        await settle()
        person = asyncio.create_task(batcher.embed([crop(1)]))
        await settle()
        engine.gate.set()
        await asyncio.gather(first, person, *bulk)
    assert engine.batches == [[0], [1, 10], [11, 12]]


async def test_a_caller_that_left_is_not_computed() -> None:
    engine = ScriptedEngine()
    async with running(engine) as batcher:
        first = await occupy(engine, batcher)
        leaving = asyncio.create_task(batcher.embed([crop(1)]))
        staying = asyncio.create_task(batcher.embed([crop(2)]))
        await settle()
        leaving.cancel()
        await settle()
        engine.gate.set()
        await asyncio.gather(first, staying)
    assert engine.batches == [[0], [2]]


async def test_an_expired_caller_is_told_and_not_computed() -> None:
    engine = ScriptedEngine()
    async with running(engine) as batcher:
        first = await occupy(engine, batcher)
        late = asyncio.create_task(batcher.embed([crop(1)], deadline_s=time.monotonic() + 0.01))
        await asyncio.sleep(0.05)
        engine.gate.set()
        with pytest.raises(DeadlineExceeded):
            await late
        await first
    assert engine.batches == [[0]]


async def test_an_engine_error_reaches_every_waiter_of_the_batch_and_no_other() -> None:
    engine = ScriptedEngine()
    async with running(engine) as batcher:
        first = await occupy(engine, batcher)
        waiting = [asyncio.create_task(batcher.embed([crop(i)])) for i in (1, 2, 3)]
        await settle()
        engine.failures = 2
        engine.gate.set()
        results = await asyncio.gather(first, *waiting, return_exceptions=True)
        assert [type(result) for result in results] == [EngineFailedError] * 4
        (after,) = await batcher.embed([crop(7)])
        assert after.vector[0] == 7


async def test_an_engine_that_fails_again_and_again_ends_the_batcher() -> None:
    engine = ScriptedEngine()
    engine.failures = 100
    deaths: list[bool] = []
    async with running(engine, on_death=lambda: deaths.append(True)) as batcher:
        for _ in range(3):
            with pytest.raises(EngineFailedError):
                await batcher.embed([crop(1)])
        await settle()
        assert deaths == [True]
        assert not batcher.alive
        with pytest.raises(Unavailable):
            await batcher.embed([crop(1)])


async def test_death_reaches_those_who_wait() -> None:
    engine = ScriptedEngine()
    async with running(engine, max_batch_size=1) as batcher:
        first = await occupy(engine, batcher)
        waiting = [asyncio.create_task(batcher.embed([crop(i)])) for i in range(4)]
        await settle()
        engine.failures = 100
        engine.gate.set()
        results = await asyncio.wait_for(asyncio.gather(first, *waiting, return_exceptions=True), 10)
    assert [type(result) for result in results] == [EngineFailedError] * 3 + [Unavailable] * 2


@pytest.mark.parametrize("wrong", [np.full((1, 1), np.nan, np.float32), np.zeros((3, 1), np.float32)])
async def test_embeddings_that_are_not_finite_or_miscounted_are_an_engine_error(wrong: np.ndarray) -> None:
    engine = ScriptedEngine()
    engine.embed = lambda pixels: wrong  # type: ignore[method-assign]
    async with running(engine) as batcher:
        with pytest.raises(EngineFailedError):
            await batcher.embed([crop(1)])


async def test_closing_computes_what_waits_then_refuses() -> None:
    engine = ScriptedEngine()
    batcher = Batcher(engine, max_batch_size=4)
    first = await occupy(engine, batcher)
    waiting = asyncio.create_task(batcher.embed([crop(5)]))
    await settle()
    closing = asyncio.create_task(batcher.close())
    await settle()
    with pytest.raises(Unavailable):
        await batcher.embed([crop(6)])
    engine.gate.set()
    await asyncio.wait_for(asyncio.gather(closing, first, waiting), 10)
    assert engine.batches == [[0], [5]]
    await batcher.close()
