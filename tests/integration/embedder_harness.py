"""A real embedder on a port of its own: real gRPC, real crops, an engine of the test's choice."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import structlog
import torch
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from numpy.typing import NDArray

from insitu.embedder.v1 import embedder_pb2_grpc
from services.embedder.color_model import write_color_model
from services.embedder.config import EmbedderConfig
from services.embedder.engine import Engine, TorchEngine
from services.embedder.model_file import Model, load_model
from services.embedder.server import RunningEmbedder, running_embedder
from services.runtime.channel import open_aio_channel
from services.runtime.config import ClientConfig


class GatedEngine:
    """The mean-colour network, which the test can hold, slow down or break."""

    device = "cpu"
    name = "gated"

    def __init__(self, model: Model) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.failing = False
        self.computed = 0
        self._engine = TorchEngine(model.net)

    def embed(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        self.started.set()
        assert self.gate.wait(20), "the test never opened the gate"
        if self.failing:
            raise RuntimeError("device lost: secret internals")
        self.computed += len(pixels)
        return self._engine.embed(pixels)


@dataclass(frozen=True)
class Running:
    """A running embedder, its engine, and a stub that calls it."""

    embedder: RunningEmbedder
    engine: GatedEngine
    channel: grpc.aio.Channel
    stub: embedder_pb2_grpc.EmbedderServiceAsyncStub

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.embedder.server.port}"


def color_model() -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "color.safetensors"
        write_color_model(path)
        return load_model(path)


@asynccontextmanager
async def running(*, engine: Engine | None = None, **config: object) -> AsyncIterator[Running]:
    """Start an embedder with the mean-colour model, and stop it."""
    # structlog's own default draws tracebacks with all local variables: seconds for a tensor.
    structlog.configure(
        processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    model = color_model()
    gated = GatedEngine(model)
    settings = EmbedderConfig(port=0, drain_s=1.0, metrics_port=0).model_copy(update=config)
    async with running_embedder(settings, model, engine or gated) as embedder:
        gated.computed = 0
        gated.started.clear()
        address = f"127.0.0.1:{embedder.server.port}"
        async with open_aio_channel(ClientConfig(address)) as channel:
            try:
                yield Running(embedder, gated, channel, embedder_pb2_grpc.EmbedderServiceStub(channel))
            finally:
                gated.gate.set()


def reasons(error: grpc.aio.AioRpcError) -> tuple[str, str, float | None]:
    """Reason, field and seconds to wait of an error, from its details."""
    packed = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(packed)
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    found: dict[type[Message], Message] = {}
    for detail in status.details:
        for kind in (info, bad, retry):
            if detail.Unpack(kind):
                found[type(kind)] = kind
    field = bad.field_violations[0].field if bad.field_violations else ""
    wait_s = retry.retry_delay.ToNanoseconds() / 1e9 if error_details_pb2.RetryInfo in found else None
    return info.reason, field, wait_s
