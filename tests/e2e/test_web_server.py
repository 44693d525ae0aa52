"""The page's server as a program meets it: forged calls, limits, start and stop."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.battery_images import jpeg
from tests.conftest import REPOSITORY
from tests.e2e.conftest import RunningPage


@pytest.fixture
def web(running_page: RunningPage) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running_page.address, timeout=15, trust_env=False) as client:
        yield client


@pytest.fixture
def inner_server() -> Iterator[tuple[str, list[str]]]:
    """An HTTP server that only this machine can reach, and the paths that were asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(jpeg())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret.jpg", asked
    server.shutdown()
    thread.join()
    server.server_close()


def call(web: httpx.Client, api_name: str, data: list[Any], event_data: Any = None) -> str:
    """Call one of the page's own functions as its script does; the whole answer as text."""
    config = web.get("config").json()
    number = next(each["id"] for each in config["dependencies"] if each["api_name"] == api_name)
    session = uuid.uuid4().hex
    body = {"data": data, "fn_index": number, "session_hash": session, "event_data": event_data}
    joined = web.post("gradio_api/queue/join", json=body)
    if joined.status_code != 200:
        return joined.text
    answer = ""
    with web.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            answer += line + "\n"
            if '"process_completed"' in line or '"close_stream"' in line:
                break
    return answer


FILES = ["/etc/passwd", "/etc/hostname", "../../../../etc/passwd", "file:///etc/passwd"]


@pytest.mark.parametrize("path", FILES)
def test_a_forged_upload_event_cannot_name_a_file_of_the_server(path: str, web: httpx.Client) -> None:
    answer = call(web, "_photo", [None], {"path": path, "name": "x.jpg"})

    # gradio refuses first, the page's own check would otherwise: see tests/unit/ui/test_photo.py.
    assert '"success":false' in answer.replace(" ", "")
    assert "root:" not in answer


def test_a_forged_upload_event_cannot_name_an_address(
    web: httpx.Client, inner_server: tuple[str, list[str]]
) -> None:
    url, asked = inner_server

    assert "not there any more" in call(web, "_photo", [None], {"path": url, "name": "x.jpg"})
    assert asked == []


@pytest.mark.parametrize("event_data", [None, 7, "x", [], {"path": {"path": "/etc/passwd"}}, {"path": None}])
def test_a_malformed_upload_event_is_one_sentence(event_data: Any, web: httpx.Client) -> None:
    answer = call(web, "_photo", [None], event_data)

    assert "choose it again" in answer or '"success":false' in answer.replace(" ", "")
    assert "Traceback" not in answer


@pytest.mark.parametrize("name", ["_search", "_box"])
def test_a_file_value_in_another_input_opens_and_fetches_nothing(
    name: str, web: httpx.Client, inner_server: tuple[str, list[str]]
) -> None:
    url, asked = inner_server
    for path in ("/etc/passwd", url):
        forged = {"path": path, "url": path, "meta": {"_type": "gradio.FileData"}}
        answer = call(web, name, [None, [forged], 20], {"picture": forged})
        assert "root:" not in answer
        assert "Traceback" not in answer
    assert asked == []


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=../../../../etc/passwd",
        "file=/etc/passwd",
        "gradio_api/proxy=http://127.0.0.1:22/",
        "catalog-image/..%2F..%2Fetc%2Fpasswd",
        "catalog-image/sha256:zz",
        "photo/..%2F..%2Fetc%2Fpasswd",
    ],
)
def test_addresses_lead_to_no_file_and_no_other_host(path: str, web: httpx.Client) -> None:
    answer = web.get(path)

    assert answer.status_code in {400, 403, 404}
    assert "root:" not in answer.text


@pytest.mark.parametrize("path", ["monitoring", "monitoring/summary"])
def test_nobody_can_read_what_others_asked_for(path: str, web: httpx.Client) -> None:
    assert web.get(path).status_code == 403


def test_the_address_of_a_file_in_the_project_is_refused(web: httpx.Client) -> None:
    assert web.get(f"gradio_api/file={REPOSITORY / 'pyproject.toml'}").status_code == 403


def test_an_upload_over_the_limit_is_413_in_words(web: httpx.Client) -> None:
    answer = web.post("gradio_api/upload", files={"files": ("big.jpg", b"\0" * 10_100_000, "image/jpeg")})

    assert answer.status_code == 413
    assert answer.text == "This file is larger than 10 MB: choose a smaller one."


def test_an_upload_that_hides_its_length_is_413_too(web: httpx.Client) -> None:
    boundary = "x" * 20

    def body() -> Iterator[bytes]:
        yield (
            f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="b.jpg"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        ).encode()
        for _ in range(11):
            yield b"\0" * 1_000_000
        yield f"\r\n--{boundary}--\r\n".encode()

    answer = web.post(
        "gradio_api/upload",
        content=body(),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}"},
    )

    assert answer.status_code == 413
    assert len(answer.text) > 10


def test_the_page_names_no_other_host_to_load_from(web: httpx.Client) -> None:
    answer = web.get("/")

    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    for tag in re.findall(r"<(?:script|link|iframe|img)\b[^>]*>", answer.text):
        assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", tag), tag


def test_no_function_is_an_interface_for_programs(web: httpx.Client) -> None:
    assert web.get("gradio_api/info").json() == {"named_endpoints": {}, "unnamed_endpoints": {}}


def test_a_picture_of_the_catalog_is_small_and_cached(web: httpx.Client) -> None:
    strip = json.dumps(call(web, "_refresh", []))
    found = re.search(r"catalog-image/[^?\\]+\?side=320", strip)
    assert found

    answer = web.get(found.group())

    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert len(answer.content) < 20_000


def start_process(port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ui"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}",
            "INSITU_PORT": str(port),
            "INSITU_SEARCH_ADDRESS": "127.0.0.1:9",
        },
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = start_process(port)
        output, errors = process.communicate(timeout=60)

    assert process.returncode == 1
    said = f"Port {port} on 127.0.0.1 is taken by another program: stop it, or choose another port"
    assert errors.strip().splitlines() == [f"{said} with INSITU_PORT."]
    assert output == ""


def test_it_starts_without_a_search_service_and_stops_cleanly_on_sigterm() -> None:
    process = start_process(0)
    try:
        assert process.stderr
        line = json.loads(process.stderr.readline())
        assert line["event"] == "serving"
        assert httpx.get(line["address"], timeout=15, trust_env=False).status_code == 200
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in errors
    finally:
        process.kill()
        process.wait()
