"""The search server on a free port, with the embedded engine in memory and the colour embedder behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.runtime.config import ClientConfig
from services.runtime.server import GrpcServer
from services.search.client import ImportOutcome, ProductUpload, SceneUpload, SearchClient
from services.search.config import SearchConfig
from services.search.index.port import Index
from services.search.process import running_server
from tests.fakes.colored_catalog import PRODUCTS, SCENES
from tests.fakes.embedder import FakeEmbedder, address, fake_embedder
from tests.fakes.ram_disk import ram_folder

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class SearchRig:
    """A running system. Blocking client calls go through `run`, as the server shares this loop."""

    client: SearchClient
    server: GrpcServer
    embedder: FakeEmbedder
    folder: Path

    @staticmethod
    async def run(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(call, *args, **kwargs)

    async def import_all(
        self,
        products: Iterable[ProductUpload] = PRODUCTS,
        scenes: Iterable[SceneUpload] = SCENES,
        **options: Any,
    ) -> list[ImportOutcome]:
        """The outcomes of products, then scenes, each in the order of the uploads."""

        def work() -> list[ImportOutcome]:
            def by_position(outcome: ImportOutcome) -> int:
                return outcome.position

            first = sorted(self.client.import_products(products, **options), key=by_position)
            return first + sorted(self.client.import_scenes(scenes, **options), key=by_position)

        return await asyncio.to_thread(work)

    async def health(self, name: str) -> int:
        return await health_of(f"127.0.0.1:{self.server.port}", name)


async def health_of(target: str, name: str) -> int:
    async with grpc.aio.insecure_channel(target) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        return int(answer.status)


@asynccontextmanager
async def search_rig(
    *,
    embedder: FakeEmbedder | None = None,
    index: Index | None = None,
    folder: Path | None = None,
    embedder_address: str = "",
    **settings: Any,
) -> AsyncIterator[SearchRig]:
    """Starts embedder and search; `folder` keeps its data for a later rig."""
    embedder = embedder or FakeEmbedder()
    with ram_folder() as made:
        data_dir = folder or made
        async with fake_embedder(embedder) as embedder_server:
            config = SearchConfig(
                port=0,
                drain_s=0,
                data_dir=data_dir,
                embedder_address=embedder_address or address(embedder_server),
                **settings,
            )
            async with running_server(config, index) as server:
                with SearchClient(ClientConfig(f"127.0.0.1:{server.port}")) as client:
                    yield SearchRig(client, server, embedder, data_dir)
