"""Wires the embedder process and runs it until it is told to stop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import torch

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from services.embedder.admission import Admission
from services.embedder.batcher import Batcher
from services.embedder.config import EmbedderConfig
from services.embedder.engine import Engine
from services.embedder.engine_choice import core_count, open_engine
from services.embedder.model_file import Model, load_model
from services.embedder.pipeline import Pipeline
from services.embedder.servicer import EmbedderServicer
from services.runtime.logs import get_logger
from services.runtime.server import GrpcServer

SERVICE_NAME = embedder_pb2.DESCRIPTOR.services_by_name["EmbedderService"].full_name

# One stream alone can fill two batches: one that runs and one that waits.
_STREAM_WINDOW_BATCHES = 2
_MAX_BATCH_SIZE = {"cpu": 16, "cuda": 128}

_log = get_logger(__name__)


def open_model(config: EmbedderConfig) -> tuple[Model, Engine]:
    """Load the model file and put its network on the device.

    Raises:
        ModelFileError: the file is missing, damaged or another one than configured.
        EngineUnavailableError: the configured engine cannot run here.
    """
    model = load_model(config.model, config.model_digest)
    engine = open_engine(
        model,
        device=config.device,
        engine=config.engine,
        precision=config.precision,
        threads=config.threads,
    )
    return model, engine


@dataclass(frozen=True)
class RunningEmbedder:
    """An embedder that answers calls: its server, and the batcher that owns its device."""

    server: GrpcServer
    batcher: Batcher


async def serve(config: EmbedderConfig, model: Model, engine: Engine) -> None:
    """Answer calls until SIGTERM, then drain.

    Raises:
        EngineFailedError: the engine does not run at all.
        SystemExit: as `GrpcServer.start`.
    """
    async with running_embedder(config, model, engine) as running:
        await running.server.wait_for_termination()


@asynccontextmanager
async def running_embedder(
    config: EmbedderConfig, model: Model, engine: Engine
) -> AsyncIterator[RunningEmbedder]:
    """An embedder on `config.port`; ready once the engine has run every batch size it will see."""
    max_batch_size = config.max_batch_size or _MAX_BATCH_SIZE[engine.device.split(":")[0]]
    async with GrpcServer(config, "embedder", [SERVICE_NAME]) as server:

        def on_death() -> None:
            server.set_ready(False)
            server.set_live(False)

        batcher = Batcher(
            engine,
            max_batch_size=max_batch_size,
            max_wait_ms=config.max_batch_wait_ms,
            on_death=on_death,
        )
        pipeline = Pipeline(
            batcher, model.info.preprocessing, decode_threads=config.decode_threads or core_count()
        )
        admission = Admission(config.max_in_flight, config.max_bulk_in_flight)
        window = min(config.max_bulk_in_flight, _STREAM_WINDOW_BATCHES * max_batch_size)
        servicer = EmbedderServicer(pipeline, admission, model, engine, stream_window=window)
        embedder_pb2_grpc.add_EmbedderServiceServicer_to_server(servicer, server.grpc)
        try:
            await server.start()
            await warm_up(batcher, model, max_batch_size)
            _log.info(
                "model ready",
                model=model.info.name,
                digest=model.digest,
                device=engine.device,
                engine=engine.name,
                max_batch_size=max_batch_size,
            )
            server.set_ready(batcher.alive)
            yield RunningEmbedder(server, batcher)
        finally:
            await server.stop()  # drains: calls in flight still need the batcher
            await batcher.close()
            pipeline.close()


async def warm_up(batcher: Batcher, model: Model, max_batch_size: int) -> None:
    """Run the batch sizes once, so that no caller pays for the engine's first time."""
    side_px = model.info.preprocessing.input_size_px
    crop = torch.full((3, side_px, side_px), 128, dtype=torch.uint8)
    size = 1
    while size <= max_batch_size:
        await batcher.embed([crop] * size)
        size *= 2
