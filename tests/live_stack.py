"""The real embedder and search processes on a catalogue of colored shapes, for tests of their clients."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from cli.demo import is_serving, reaches_embedder
from cli.importing import import_catalog
from cli.ports import free_port
from cli.supervisor import Supervisor
from cli.terminal import progress
from services.catalog import read_catalog
from services.embedder.color_model import write_color_model
from services.runtime.config import ClientConfig
from services.search.client import SearchClient
from tests.shapes_catalog import write_shapes_catalog


@dataclass(frozen=True)
class LiveStack:
    """Two running processes and what was imported into them."""

    search_address: str
    embedder_address: str
    catalog: Path
    """Folder of the shapes: 12 products, 6 scenes, 18 regions."""


@contextlib.contextmanager
def running_stack(folder: Path, *, imported: bool = True) -> Iterator[LiveStack]:
    """Run embedder (mean-color model) and search with their files in `folder`, the shapes imported."""
    catalog = folder / "catalog"
    write_shapes_catalog(catalog, n_products=12, n_scenes=6)
    write_color_model(folder / "color.safetensors")
    embedder, search = (f"127.0.0.1:{free_port(0)}" for _ in range(2))
    supervisor = Supervisor(folder / "logs", drain_s=5.0)
    env = {"INSITU_HOST": "127.0.0.1", "INSITU_DRAIN_S": "1"}
    try:
        supervisor.start(
            "embedder",
            "services.embedder",
            [],
            {**env, "INSITU_PORT": embedder.split(":")[1], "INSITU_MODEL": str(folder / "color.safetensors")},
        )
        supervisor.start(
            "search",
            "services.search",
            [],
            {
                **env,
                "INSITU_PORT": search.split(":")[1],
                "INSITU_EMBEDDER_ADDRESS": embedder,
                "INSITU_DATA_DIR": str(folder / "search"),
            },
        )
        for address in (embedder, search):
            with grpc.insecure_channel(address) as channel:
                supervisor.wait_until(lambda channel=channel: is_serving(channel), address, 90.0)  # type: ignore[misc]
        with SearchClient(ClientConfig(address=search)) as client:
            supervisor.wait_until(lambda: reaches_embedder(client), "search", 30.0)
            if imported:
                report = import_catalog(client, read_catalog(catalog), progress)
                assert report.refused == []
        yield LiveStack(search, embedder, catalog)
    finally:
        supervisor.stop()
