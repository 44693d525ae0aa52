"""`insitu demo` as a person runs it: real processes, a real port, Ctrl-C."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from services.embedder.color_model import write_color_model
from services.imaging import Box
from services.runtime.config import ClientConfig
from services.search.client import PhotoQuery, SearchClient
from tests.live_demo import READY, Demo, running_demo, wait_until_gone
from tests.shapes_catalog import write_shapes_catalog

SHOP = ("--catalog", "catalog", "--model", "color.safetensors")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    write_shapes_catalog(tmp_path / "catalog", n_products=12, n_scenes=6)
    write_color_model(tmp_path / "color.safetensors")
    return tmp_path


def running(
    folder: Path, *, port: int | None = None, data: Path | None = None
) -> contextlib.AbstractContextManager[Demo]:
    return running_demo(folder, SHOP, port=port, data=data)


def page_status(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.timeout(300)
def test_demo_starts_answers_stops_and_starts_again_sooner(shop: Path) -> None:
    with running(shop) as demo:
        demo.wait_for(READY)
        assert f"{READY}http://127.0.0.1:{demo.port}" in demo.output
        assert demo.output.count("http://") == 1
        assert "Products: 12 stored" in demo.output
        assert page_status(demo.port) == 200
        assert len(demo.child_pids()) >= 3
        with SearchClient(ClientConfig(address=demo.search_address())) as client:
            room = (shop / "catalog/scenes/S-000.png").read_bytes()
            found = client.search_products(PhotoQuery(room, Box(23, 130, 191, 306)))
            assert found.hits[0].product.product_id == "P-000"

        with running(shop, data=demo.data) as second:
            assert second.wait() == 2
            assert f"runs already, at http://127.0.0.1:{demo.port}" in second.output

        os.killpg(demo.process.pid, signal.SIGINT)  # as a terminal's Ctrl-C does
        started = time.monotonic()
        assert demo.wait() == 0
        assert time.monotonic() - started < 12
        assert "Traceback" not in demo.output
        wait_until_gone(demo, timeout_s=1)

    started = time.monotonic()
    with running(shop) as again:
        again.wait_for(READY)
        took_s = time.monotonic() - started
        assert "stored" not in again.output  # all of it was there
        assert took_s < 60
        # A killed supervisor can stop nobody; its children notice.
        again.process.kill()
        again.wait()
        wait_until_gone(again)


def test_taken_port_is_named_before_anything_starts(shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with running(shop, port=port) as demo:
            assert demo.wait() == 2
            assert f"Port {port} is taken by another program" in demo.output
            assert "--port" in demo.output
            assert len(demo.lines) == 1
            assert demo.child_pids() == []


@pytest.mark.timeout(300)
def test_dead_process_ends_the_demo_with_a_sentence(shop: Path) -> None:
    with running(shop) as demo:
        demo.wait_for(READY)
        for pid in demo.child_pids():
            if b"services.search" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        assert demo.wait() == 2
        assert "The search process ended by SIGKILL" in demo.output
        assert str(demo.data / "logs" / "search.log") in demo.output
        assert "Traceback" not in demo.output
        wait_until_gone(demo, timeout_s=1)


def test_ctrl_c_during_the_start_leaves_nothing(shop: Path) -> None:
    with running(shop) as demo:
        demo.wait_for("Starting")
        os.killpg(demo.process.pid, signal.SIGINT)
        assert demo.wait() == 130
        assert "Traceback" not in demo.output
        wait_until_gone(demo, timeout_s=1)


def test_model_file_that_is_none_is_said_by_the_embedder(shop: Path) -> None:
    (shop / "color.safetensors").write_bytes(b"no model")
    with running(shop) as demo:
        assert demo.wait(60) == 2
        assert "The embedder process ended" in demo.output
        assert "color.safetensors" in demo.output
        wait_until_gone(demo, timeout_s=1)
