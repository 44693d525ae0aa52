"""Measures the search service with real processes: latency of query 1 by part, both queries, import rate.

    python -m tests.bench.search_bench --catalog FOLDER [--model FILE] [--json FILE]

Embedder and search run as processes of their own on free ports, with the embedded engine on disk. Prints
a table and writes JSON with the machine and the versions. One catalogue of 500 products: under a minute.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import itertools
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.importing import product_upload, scene_upload
from services.catalog import Catalog, SceneRow, read_catalog
from services.runtime.config import ClientConfig
from services.search.client import Box, ImportStatus, PhotoQuery, ProductQuery, SearchClient, SearchTiming
from tests.conftest import REPOSITORY

_PACKAGES = ("grpcio", "qdrant-edge-py", "qdrant-client", "torch", "openvino", "pillow")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--catalog", type=Path, required=True, help="catalogue folder with boxes")
    parser.add_argument("--model", type=Path, help="model file; the bundled one by default")
    parser.add_argument("--products", type=int, default=500, help="products to import")
    parser.add_argument("--scenes", type=int, default=60, help="scenes to import")
    parser.add_argument("--queries", type=int, default=100, help="queries of each kind")
    parser.add_argument("--json", type=Path, help="file to write")
    given = parser.parse_args()
    result = measure(read_catalog(given.catalog), given.model, given.products, given.scenes, given.queries)
    text = json.dumps(result, indent=2)
    print(text)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(text + "\n", encoding="utf-8")


def measure(catalog: Catalog, model: Path | None, products: int, scenes: int, queries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="insitu-bench-") as folder, contextlib.ExitStack() as stack:
        embedder, search = free_address(), free_address()
        extra = {"INSITU_MODEL": str(model)} if model else {}
        stack.enter_context(process("services.embedder", embedder, **extra))
        settings = {"INSITU_DATA_DIR": folder, "INSITU_EMBEDDER_ADDRESS": embedder}
        stack.enter_context(process("services.search", search, **settings))
        for address in (embedder, search):
            wait_for_readiness(address)
        client = stack.enter_context(SearchClient(ClientConfig(search)))
        while not client.facts().embedder_model_digest:  # search is ready before it has reached its embedder
            time.sleep(0.1)
        rooms = list(itertools.islice((s for s in catalog.scenes() if s.regions), scenes))
        return {
            "machine": machine(),
            "model": str(model or "bundled"),
            "import": import_rates(client, catalog, rooms, products),
            "counts": counts(client),
            "query_1_ms": query_1(client, rooms, queries),
            "query_2_ms": query_2(client, catalog, min(queries, products)),
        }


def import_rates(
    client: SearchClient, catalog: Catalog, rooms: Sequence[SceneRow], products: int
) -> dict[str, Any]:
    def run(label: str, outcomes: Iterator[Any]) -> dict[str, Any]:
        started = time.perf_counter()
        done = list(outcomes)
        seconds = time.perf_counter() - started
        regions = sum(outcome.region_count for outcome in done)
        refused = sum(outcome.status is ImportStatus.REFUSED for outcome in done)
        return {
            label: {
                "items": len(done),
                "refused": refused,
                "seconds": round(seconds, 2),
                "items_per_s": round(len(done) / seconds, 1),
                # A product is one crop, a scene its regions and the whole photo.
                "crops_per_s": round((regions + len(done)) / seconds, 1),
            }
        }

    def product_rows() -> Iterator[Any]:
        return map(product_upload, itertools.islice(catalog.products(), products))

    def scene_rows() -> Iterator[Any]:
        return map(scene_upload, rooms)

    rates = run("products", client.import_products(product_rows()))
    rates |= run("scenes", client.import_scenes(scene_rows()))
    rates |= run("products_unchanged", client.import_products(product_rows()))
    return rates | run("scenes_unchanged", client.import_scenes(scene_rows()))


def query_1(client: SearchClient, rooms: Sequence[SceneRow], queries: int) -> dict[str, Any]:
    """Boxes in room photos, one caller; every photo goes over the wire each time."""
    boxes = itertools.islice(
        itertools.cycle((room.image, region) for room in rooms for region in room.regions), queries + 10
    )
    parts: dict[str, list[float]] = {
        name: [] for name in ("total", "decode", "batch_wait", "forward", "qdrant", "network_and_rest")
    }
    for number, (photo, region) in enumerate(boxes):
        query = PhotoQuery(photo.read_bytes(), Box(region.x_min, region.y_min, region.x_max, region.y_max))
        elapsed_ms, timing = timed(lambda query=query: client.search_products(query).timing)  # type: ignore[misc]
        if number < 10:  # warming up
            continue
        known = {
            "decode": timing.decode_ms,
            "batch_wait": timing.wait_ms,
            "forward": timing.forward_ms,
            "qdrant": timing.index_ms,
        }
        rest = elapsed_ms - sum(known.values())
        for name, value in {"total": elapsed_ms, **known, "network_and_rest": rest}.items():
            parts[name].append(value)
    return {name: percentiles(values) for name, values in parts.items()}


def query_2(client: SearchClient, catalog: Catalog, queries: int) -> dict[str, Any]:
    """Products by id, one caller; the embedder has no part in it."""
    totals, qdrant = [], []
    for row in itertools.islice(catalog.products(), queries):
        query = ProductQuery(row.product_id)
        elapsed_ms, timing = timed(lambda query=query: client.search_scenes(query).timing)  # type: ignore[misc]
        totals.append(elapsed_ms)
        qdrant.append(timing.index_ms)
    return {"total": percentiles(totals), "qdrant": percentiles(qdrant)}


def timed(call: Callable[[], SearchTiming]) -> tuple[float, SearchTiming]:
    started = time.perf_counter()
    timing = call()
    return (time.perf_counter() - started) * 1e3, timing


def percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)}


def counts(client: SearchClient) -> dict[str, int]:
    facts = client.facts()
    return {"products": facts.product_count, "scenes": facts.scene_count, "regions": facts.region_count}


def machine() -> dict[str, Any]:
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": versions,
    }


def cpu_name() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def process(module: str, address: str, **settings: str) -> Iterator[None]:
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "protos")])
    environment = {
        **os.environ,
        "INSITU_PORT": address.rpartition(":")[2],
        "INSITU_LOG_LEVEL": "warning",
        "PYTHONPATH": paths,
        **settings,
    }
    running = subprocess.Popen([sys.executable, "-m", module], env=environment)
    try:
        yield
    finally:
        running.terminate()
        running.wait(timeout=30)


def wait_for_readiness(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(grpc.RpcError):
                request = health_pb2.HealthCheckRequest(service="readiness")
                if stub.Check(request, timeout=2).status == health_pb2.HealthCheckResponse.SERVING:
                    return
            time.sleep(0.1)
    raise SystemExit(f"{address} did not become ready within a minute.")


if __name__ == "__main__":
    main()
