"""The demo: three processes, one catalogue, one address."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.importing import ImportReport, import_catalog, write_report
from cli.index_command import say_refused, summary
from cli.ports import check_free, free_port
from cli.supervisor import ROOT, Supervisor
from cli.terminal import CommandFailed, progress
from services.catalog import Catalog, read_catalog
from services.runtime.config import ClientConfig
from services.runtime.errors import DeadlineExceeded, Unavailable
from services.search.client import SearchClient

EMBEDDER_PORT = 50051
SEARCH_PORT = 50052
MIN_IMAGES_TO_FIT = 300
"""A PCA to 256 dimensions needs more images than that to beat the bundled one."""
READY_TIMEOUT_S = 180.0
WATCH_S = 0.5
BUNDLED = ROOT / "samples" / "catalog"

# Of the shell's settings these are for a deployment; the demo's processes talk on loopback, in clear.
_NOT_INHERITED = (
    "INSITU_TLS_CERT",
    "INSITU_TLS_KEY",
    "INSITU_TLS_CLIENT_CA",
    "INSITU_TOKENS",
    "INSITU_TOKENS_FILE",
    "INSITU_METRICS_PORT",
    "INSITU_MODEL_DIGEST",
    *(
        f"INSITU_{of}_{what}"
        for of in ("EMBEDDER", "SEARCH")
        for what in ("TOKEN", "TLS_CA", "TLS_CERT", "TLS_KEY")
    ),
)


@dataclass(frozen=True)
class DemoOptions:
    """What `insitu demo` was asked for."""

    catalog: Path | None
    data: Path | None
    host: str
    port: int
    model: Path | None


def run_demo(options: DemoOptions) -> int:
    """Run until Ctrl-C or SIGTERM; return the exit code.

    Raises CommandFailed with one sentence when it cannot start or a process dies. Nothing is left running.
    """
    # Of a background job the shell has SIGINT ignored, which Python then leaves so.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    catalog = open_catalog(options.catalog)
    if options.model is not None and not options.model.is_file():
        raise CommandFailed(f"There is no model file {options.model}.")
    data = (options.data or default_data_dir(catalog.folder)).resolve()
    address = f"http://{shown_host(options.host)}:{options.port}"
    with only_one(data, address):
        check_free(options.host, options.port)
        for name in _NOT_INHERITED:
            os.environ.pop(name, None)
        os.environ["INSITU_DEMO_DATA"] = str(data)  # tells our processes from others in a process list
        supervisor = Supervisor(data / "logs")
        ready = False
        try:
            start(supervisor, catalog, data, options)
            ready = True
            print(f"InSitu is ready: {address}", flush=True)
            print("Ctrl-C stops it.", flush=True)
            while True:
                supervisor.check()
                time.sleep(WATCH_S)
        except KeyboardInterrupt:
            print("\nStopping.", flush=True)
        finally:
            supervisor.stop()
    return 0 if ready else 130


def start(supervisor: Supervisor, catalog: Catalog, data: Path, options: DemoOptions) -> None:
    """Start the three processes, wait for them, import the catalogue."""
    model = choose_model(supervisor, catalog, data, options.model)
    embedder_port, search_port = free_port(EMBEDDER_PORT), free_port(SEARCH_PORT)
    embedder, search = f"127.0.0.1:{embedder_port}", f"127.0.0.1:{search_port}"
    inner = {"INSITU_HOST": "127.0.0.1", "INSITU_DRAIN_S": "3"}
    model_env = {"INSITU_MODEL": str(model)} if model else {}
    supervisor.start(
        "embedder", "services.embedder", [], {**inner, **model_env, "INSITU_PORT": str(embedder_port)}
    )
    supervisor.start(
        "search",
        "services.search",
        [],
        {
            **inner,
            "INSITU_PORT": str(search_port),
            "INSITU_EMBEDDER_ADDRESS": embedder,
            "INSITU_DATA_DIR": str(data / "search"),
        },
    )
    supervisor.start(
        "ui",
        "ui",
        [],
        {"INSITU_HOST": options.host, "INSITU_PORT": str(options.port), "INSITU_SEARCH_ADDRESS": search},
    )
    print("Starting embedder, search and page.", flush=True)
    if search_port != SEARCH_PORT:
        print(f"Port {SEARCH_PORT} is taken, so the search service is at {search}.", flush=True)
    with grpc.insecure_channel(embedder) as channel:
        supervisor.wait_until(lambda: is_serving(channel), "The embedder", READY_TIMEOUT_S)
    with grpc.insecure_channel(search) as channel:
        supervisor.wait_until(lambda: is_serving(channel), "The search service", READY_TIMEOUT_S)
    with SearchClient(ClientConfig(address=search)) as client:
        supervisor.wait_until(lambda: reaches_embedder(client), "The search service", READY_TIMEOUT_S)
        # An index of our own follows the folder; a server's may hold more than this catalogue.
        report = import_catalog(client, catalog, progress, prune="INSITU_QDRANT_URL" not in os.environ)
    say_import(report, catalog, data)
    supervisor.wait_until(lambda: page_answers(options.host, options.port), "The page", READY_TIMEOUT_S)


def open_catalog(folder: Path | None) -> Catalog:
    """The catalogue to show; raises CommandFailed or CatalogUnreadableError."""
    if folder is None and not (BUNDLED / "products.csv").is_file():
        raise CommandFailed("The bundled catalogue is not here: give a folder of yours with --catalog.")
    return read_catalog(folder or BUNDLED)


def default_data_dir(folder: Path) -> Path:
    """A folder of its own for each catalogue folder, under the current directory."""
    slug = re.sub(r"[^a-z0-9]+", "-", folder.name.lower()).strip("-")[:40] or "catalog"
    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return Path(".insitu/demo") / f"{slug}-{digest}"


def choose_model(supervisor: Supervisor, catalog: Catalog, data: Path, wanted: Path | None) -> Path | None:
    """The model file to serve; None for the bundled one.

    A catalogue of the user's own that is big enough gets a projection fitted to it, once.
    """
    if wanted is not None:
        return wanted.resolve()
    if catalog.folder == BUNDLED:
        return None
    fitted = data / "model.safetensors"
    if fitted.is_file():
        return fitted
    images = sum(len(product.images) for product in catalog.products())
    if images < MIN_IMAGES_TO_FIT:
        return None
    print(f"Fitting the model to the {images:,} product images of this catalogue (once).", flush=True)
    # The file is written whole or not at all, so an interrupted fit starts again.
    supervisor.run("model", "cli", ["model", "fit", str(catalog.folder), "--out", str(fitted)], {})
    return fitted


def say_import(report: ImportReport, catalog: Catalog, data: Path) -> None:
    """Say what the import did, if anything."""
    if report.products_stored or report.scenes_stored or report.products_deleted or report.scenes_deleted:
        print(summary(report), flush=True)
    if report.refused:
        file = data / "refused.csv"
        write_report(report, catalog, file)
        say_refused(report.refused, file, shown=10)
        print(f"All refused rows are in {file}.", flush=True)


def is_serving(channel: grpc.Channel) -> bool:
    """Whether a service says that it is ready."""
    request = health_pb2.HealthCheckRequest(service="readiness")
    try:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its types know no method
        reply = stub.Check(request, timeout=2.0)
    except grpc.RpcError:
        return False
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


def reaches_embedder(client: SearchClient) -> bool:
    """Whether the search service has found its embedder: while both start, it may not have yet."""
    try:
        return bool(client.facts().embedder_model_digest)
    except (Unavailable, DeadlineExceeded):
        return False


def page_answers(host: str, port: int) -> bool:
    """Whether the page can be fetched."""
    connection = http.client.HTTPConnection(shown_host(host).strip("[]"), port, timeout=5.0)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def shown_host(host: str) -> str:
    """`host` as a browser on this machine can use it."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104  compared, not bound
        return "127.0.0.1" if host != "::" else "[::1]"
    return f"[{host}]" if ":" in host else host


@contextlib.contextmanager
def only_one(data: Path, address: str) -> Iterator[None]:
    """Hold the data folder; raise CommandFailed when another demo does."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "demo.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            there = lock.read().strip()
            raise CommandFailed(
                f"A demo of this catalogue runs already{f', at {there}' if there else ''}: use that one, "
                "stop it, or give another --data folder."
            ) from error
        lock.truncate(0)
        lock.write(address)
        lock.flush()
        yield
