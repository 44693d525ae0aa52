"""The embedder as the search service sees it: one photo with a deadline, or a bulk stream.

Failures become errors of this service: whatever keeps the embedder from answering is
Unavailable, in words of our own; what it refuses is passed on with the field renamed.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from services.imaging import Box
from services.runtime.errors import (
    Busy,
    DeadlineExceeded,
    InsituError,
    InvalidInput,
    Unauthenticated,
    Unavailable,
    error_from_call,
)
from services.search import wire
from services.search.index.port import Metric, ModelSpec

_METRICS = {
    embedder_pb2.METRIC_COSINE: Metric.COSINE,
    embedder_pb2.METRIC_EUCLIDEAN: Metric.EUCLIDEAN,
}
_MODEL_DEADLINE_S = 5.0
_BULK_IN_FLIGHT = 16


@dataclass(frozen=True)
class QueryEmbedding:
    """The embedding of a query photo. `contrast`: 0 (flat) to 0.5; times in milliseconds."""

    vector: tuple[float, ...]
    box: Box
    contrast: float
    model_digest: str
    embed_ms: float
    decode_ms: float
    wait_ms: float
    forward_ms: float


@dataclass(frozen=True)
class BulkAnswer:
    """What a bulk stream says about one image: vectors in the order of the boxes, or why not."""

    vectors: tuple[tuple[float, ...], ...]
    model_digest: str
    refusal: InvalidInput | None = None


class EmbedderGateway:
    """Calls the embedder over a channel that the caller owns."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = embedder_pb2_grpc.EmbedderServiceStub(channel)  # type: ignore[no-untyped-call,unused-ignore]
        self.last_model_digest = ""
        """Digest of the embedder's model as last seen; "" if never reached."""

    async def model(self) -> ModelSpec:
        """The model that the embedder serves. Raises Unavailable."""
        try:
            answer = await self._stub.GetModel(embedder_pb2.GetModelRequest(), timeout=_MODEL_DEADLINE_S)
        except grpc.RpcError as error:
            raise _translated(error) from error
        metric = _METRICS.get(answer.model.metric)
        if metric is None:
            raise Unavailable(
                "EMBEDDER_INCOMPATIBLE",
                "The embedder's model has a metric that this service does not know: update this service.",
            )
        self.last_model_digest = answer.model.digest
        return ModelSpec(answer.model.digest, answer.model.dimension, metric)

    async def embed(self, image: bytes, box: Box | None, deadline_s: float) -> QueryEmbedding:
        """The embedding of a box of a photo, or of all of it.

        Raises:
            InvalidInput: the image ("image.image") or the box ("image.box") is refused.
            Busy, Unavailable: the embedder is full, out of reach, or too slow.
        """
        request = embedder_pb2.EmbedImageRequest(image=image)
        if box is not None:
            request.boxes.append(wire.box_to_proto(box))
        started = time.perf_counter()
        try:
            answer = await self._stub.EmbedImage(request, timeout=max(deadline_s, 0.001))
        except grpc.RpcError as error:
            raise _translated(error) from error
        self.last_model_digest = answer.model_digest
        found = answer.embeddings[0]
        return QueryEmbedding(
            vector=tuple(found.values),
            box=wire.box_from_proto(found.box),
            contrast=found.contrast,
            model_digest=answer.model_digest,
            embed_ms=(time.perf_counter() - started) * 1e3,
            decode_ms=answer.timing.decode_ms,
            wait_ms=answer.timing.wait_ms,
            forward_ms=answer.timing.forward_ms,
        )

    @asynccontextmanager
    async def bulk(self, answer_timeout_s: float) -> AsyncIterator[BulkStream]:
        """A stream for many images; each answer may take `answer_timeout_s`."""
        stream = BulkStream(self._stub.EmbedImages(), answer_timeout_s)
        try:
            yield stream
        finally:
            await stream.close()


class BulkStream:
    """One EmbedImages stream, used by any number of tasks at once; the caller bounds how many."""

    def __init__(self, call: Any, answer_timeout_s: float) -> None:
        self._call = call
        self._answer_timeout_s = answer_timeout_s
        self._numbers = itertools.count()
        self._write_lock = asyncio.Lock()
        # Else the wait for one answer would grow with all that was asked before it.
        self._slots = asyncio.Semaphore(_BULK_IN_FLIGHT)
        self._waiting: dict[str, asyncio.Future[embedder_pb2.EmbedImagesResponse]] = {}
        self._failure: InsituError | None = None
        self._reader = asyncio.create_task(self._read())

    async def embed(self, image: bytes, boxes: Sequence[Box]) -> BulkAnswer:
        """Vectors of the boxes, or of the whole image without boxes.

        Raises:
            Unavailable: the stream broke, or no answer came in time.
        """
        async with self._slots:
            return await self._embed(image, boxes)

    async def _embed(self, image: bytes, boxes: Sequence[Box]) -> BulkAnswer:
        if self._failure is not None:
            raise self._failure
        item_id = str(next(self._numbers))
        request = embedder_pb2.EmbedImagesRequest(
            item_id=item_id, image=image, boxes=[wire.box_to_proto(box) for box in boxes]
        )
        answered = asyncio.get_running_loop().create_future()
        self._waiting[item_id] = answered
        try:
            async with asyncio.timeout(self._answer_timeout_s):
                async with self._write_lock:
                    await self._call.write(request)
                response = await answered
        except TimeoutError as error:
            raise _too_slow() from error
        except asyncio.InvalidStateError as error:  # the call ended before the write
            await asyncio.wait([self._reader], timeout=1.0)
            raise self._failure or _unreachable() from error
        except grpc.RpcError as error:
            raise _translated(error) from error
        finally:
            self._waiting.pop(item_id, None)
            if answered.done() and not answered.cancelled():
                answered.exception()  # seen: another error may have come first
        if response.HasField("error"):
            refused = response.error
            return BulkAnswer((), "", InvalidInput(refused.field, refused.reason, refused.message))
        vectors = tuple(tuple(found.values) for found in response.embedded.embeddings)
        return BulkAnswer(vectors, response.embedded.model_digest)

    async def close(self) -> None:
        """Ends the stream; images still waiting are given up."""
        self._call.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        failure: InsituError = _unreachable()
        try:
            async for response in self._call:
                waiting = self._waiting.get(response.item_id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(response)
        except grpc.RpcError as error:
            failure = _translated(error)
        finally:
            self._failure = failure
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(failure)


def _unreachable() -> Unavailable:
    return Unavailable(
        "EMBEDDER_UNREACHABLE", "The embedder cannot be reached at the moment; try again shortly."
    )


def _too_slow() -> Unavailable:
    return Unavailable("EMBEDDER_TIMEOUT", "The embedder did not answer in time; try again shortly.")


def _translated(call: grpc.RpcError) -> InsituError:
    error = error_from_call(call)
    if isinstance(error, InvalidInput):
        field = "image.box" if error.field.startswith("boxes") else "image.image"
        return InvalidInput(field, error.reason, error.message)
    if isinstance(error, Busy):
        return error
    if isinstance(error, DeadlineExceeded):
        return _too_slow()
    if isinstance(error, Unavailable):
        return _unreachable()
    if isinstance(error, Unauthenticated):
        return Unavailable("EMBEDDER_TOKEN_REFUSED", "The embedder refused this service's token.")
    return Unavailable("EMBEDDER_FAILED", "The embedder failed; its log says why.")
