"""One dynamic batcher that alone owns the device.

A batch is formed whenever the device's thread is free, of whatever waits then: no timer. Under load the
waiting callers fill the batch by themselves, and a lone caller never waits for company.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.embedder import metrics
from services.embedder.engine import Engine
from services.runtime.errors import DeadlineExceeded, Unavailable
from services.runtime.logs import get_logger

_log = get_logger(__name__)

# A device that fails this often in a row (a CUDA context that is lost fails for ever) will not recover.
_MAX_FAILURES_IN_A_ROW = 3


class EngineFailedError(RuntimeError):
    """The engine failed on the batch that this crop was in; `__cause__` is its error."""


@dataclass(frozen=True)
class Embedded:
    """The embedding of one crop, (dimension,) float32, and where its time went in milliseconds."""

    vector: NDArray[np.float32]
    wait_ms: float
    forward_ms: float


@dataclass(eq=False)
class _Waiter:
    pixels: Tensor
    deadline_s: float | None
    result: asyncio.Future[Embedded]
    since_s: float = field(default_factory=time.monotonic)


class Batcher:
    """Gathers crops into batches and runs them; to be used on one event loop.

    Args:
        engine: run in this batcher's own thread, never in two at a time.
        max_batch_size: crops.
        max_wait_ms: how long a batch that is not full waits for more; 0 is best but for odd devices.
        on_death: called once if the batcher cannot go on; what waits gets `Unavailable`.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        max_batch_size: int,
        max_wait_ms: float = 0.0,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._max_batch_size = max_batch_size
        self._max_wait_s = max_wait_ms / 1000
        self._on_death = on_death
        self._interactive: deque[_Waiter] = deque()
        self._bulk: deque[_Waiter] = deque()
        self._arrived = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "device")
        self._closing = False
        self._dead = False
        self._failures_in_a_row = 0
        self._loop_task = asyncio.get_running_loop().create_task(self._run(), name="batcher")

    @property
    def alive(self) -> bool:
        """Whether crops are still taken."""
        return not (self._dead or self._closing)

    async def embed(
        self, crops: Sequence[Tensor], *, deadline_s: float | None = None, bulk: bool = False
    ) -> list[Embedded]:
        """Embed the crops of one image, in order; they may share batches with others'.

        Args:
            crops: each (3, S, S) uint8.
            deadline_s: on `time.monotonic`'s clock; what has not begun by then is not computed.
            bulk: let interactive callers' crops go first.

        Raises:
            EngineFailedError: the engine failed on a batch with one of these crops.
            DeadlineExceeded: the deadline passed while waiting.
            Unavailable: the batcher is closing or dead.
        """
        if not self.alive:
            raise _gone()
        loop = asyncio.get_running_loop()
        waiters = [_Waiter(pixels, deadline_s, loop.create_future()) for pixels in crops]
        (self._bulk if bulk else self._interactive).extend(waiters)
        self._note_depth()
        self._arrived.set()
        try:
            return list(await asyncio.gather(*(waiter.result for waiter in waiters)))
        finally:
            # After a failure of one or when the caller left, the others are not worth computing.
            for waiter in waiters:
                waiter.result.cancel()

    async def close(self) -> None:
        """Compute what waits, then stop. Idempotent."""
        self._closing = True
        self._arrived.set()
        await asyncio.wait([self._loop_task])
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        try:
            while await self._wait_for_work():
                if batch := self._take_batch():
                    await self._run_batch(batch)
        except Exception:
            _log.exception("the batcher died")
        finally:
            self._end()

    async def _wait_for_work(self) -> bool:
        """Return when there is something to do; False means stop."""
        while not (self._interactive or self._bulk):
            if self._closing:
                return False
            self._arrived.clear()
            await self._arrived.wait()
        if self._max_wait_s and self._depth() < self._max_batch_size and not self._closing:
            await asyncio.sleep(self._max_wait_s)
        return True

    def _take_batch(self) -> list[_Waiter]:
        """The longest-waiting crops, interactive ones first, without those nobody waits for any more."""
        batch: list[_Waiter] = []
        now_s = time.monotonic()
        for queue in (self._interactive, self._bulk):
            while queue and len(batch) < self._max_batch_size:
                waiter = queue.popleft()
                if waiter.result.done():
                    metrics.SKIPPED.inc()
                elif waiter.deadline_s is not None and now_s >= waiter.deadline_s:
                    metrics.SKIPPED.inc()
                    waiter.result.set_exception(
                        DeadlineExceeded("DEADLINE", "The time for this call was over before its turn came.")
                    )
                else:
                    batch.append(waiter)
        self._note_depth()
        return batch

    async def _run_batch(self, batch: list[_Waiter]) -> None:
        started_s = time.monotonic()
        try:
            vectors, forward_s = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._forward, [waiter.pixels for waiter in batch]
            )
        except Exception as error:
            self._fail(batch, error)
            return
        self._failures_in_a_row = 0
        metrics.CROPS.inc(len(batch))
        metrics.BATCH_SIZE.observe(len(batch))
        metrics.STAGE_SECONDS.labels("forward").observe(forward_s)
        for waiter, vector in zip(batch, vectors, strict=True):
            wait_s = started_s - waiter.since_s
            metrics.STAGE_SECONDS.labels("wait").observe(wait_s)
            if not waiter.result.done():
                waiter.result.set_result(Embedded(vector, wait_s * 1e3, forward_s * 1e3))

    def _forward(self, pixels: list[Tensor]) -> tuple[NDArray[np.float32], float]:
        """Runs in the device's thread: B of (3, S, S) -> (B, dimension), and the seconds it took."""
        started_s = time.perf_counter()
        vectors = self._engine.embed(torch.stack(pixels))
        if len(vectors) != len(pixels):
            raise RuntimeError(f"the engine gave {len(vectors)} embeddings for {len(pixels)} crops")
        if not np.isfinite(vectors).all():
            raise RuntimeError("the engine gave an embedding that is not finite")
        return vectors, time.perf_counter() - started_s

    def _fail(self, batch: list[_Waiter], error: Exception) -> None:
        metrics.ENGINE_ERRORS.inc()
        _log.error("the engine failed on a batch", batch_size=len(batch), exc_info=error)
        for waiter in batch:
            if not waiter.result.done():
                failed = EngineFailedError("the engine failed")
                failed.__cause__ = error
                waiter.result.set_exception(failed)
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= _MAX_FAILURES_IN_A_ROW:
            raise RuntimeError(f"the engine failed {self._failures_in_a_row} times in a row") from error

    def _end(self) -> None:
        died = not self._closing
        self._dead = True
        for waiter in (*self._interactive, *self._bulk):
            if not waiter.result.done():
                waiter.result.set_exception(_gone())
        self._interactive.clear()
        self._bulk.clear()
        self._note_depth()
        if died:
            self._on_death()

    def _depth(self) -> int:
        return len(self._interactive) + len(self._bulk)

    def _note_depth(self) -> None:
        metrics.QUEUE_DEPTH.set(self._depth())


def _gone() -> Unavailable:
    return Unavailable("EMBEDDER_STOPPED", "The embedder has stopped; try again in a moment.")
