"""The import stream of the client against a server that answers by a script."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from insitu.search.v1 import catalog_pb2, catalog_pb2_grpc
from services.runtime.config import ClientConfig
from services.runtime.errors import DeadlineExceeded, Unavailable
from services.search.client import ImageFile, ImportStatus, Product, ProductUpload, SearchClient

Answer = Callable[[Any], catalog_pb2.ImportProductsResponse | None]


class Scripted(catalog_pb2_grpc.CatalogServiceServicer):
    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[catalog_pb2.ImportProductsRequest] = []

    def ImportProducts(self, request_iterator: Any, context: Any) -> Any:
        for request in request_iterator:
            self.requests.append(request)
            answer = self.answer(request)
            if answer is None:
                time.sleep(30)
                return
            yield answer


@contextmanager
def scripted(answer: Answer) -> Iterator[tuple[SearchClient, Scripted]]:
    kind: Any = Scripted  # the generated base class counts the other calls as missing
    servicer = kind(answer)
    server = grpc.server(ThreadPoolExecutor(2))
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with SearchClient(ClientConfig(f"127.0.0.1:{port}")) as client:
            yield client, servicer
    finally:
        server.stop(0).wait()


def stored(request: Any) -> catalog_pb2.ImportProductsResponse:
    missing = [image.image_id for image in request.images if not image.data]
    if missing:
        return catalog_pb2.ImportProductsResponse(
            status=catalog_pb2.IMPORT_STATUS_NEEDS_DATA, missing_image_ids=missing
        )
    return catalog_pb2.ImportProductsResponse(status=catalog_pb2.IMPORT_STATUS_STORED)


def uploads(count: int, load: Callable[[int], bytes] = lambda number: b"%d" % number) -> list[ProductUpload]:
    return [
        ProductUpload(Product(f"p{n}"), [ImageFile(lambda n=n: load(n))], source=f"f:{n}")  # type: ignore[misc]
        for n in range(count)
    ]


def test_digests_go_first_and_bytes_on_demand() -> None:
    with scripted(stored) as (client, server):
        outcomes = list(client.import_products(uploads(3), assume_new=False))
    assert [outcome.status for outcome in outcomes] == [ImportStatus.STORED] * 3
    assert sorted(outcome.position for outcome in outcomes) == [0, 1, 2]
    assert [bool(request.images[0].data) for request in server.requests].count(False) == 3
    assert len(server.requests) == 6


def test_assume_new_sends_bytes_at_once() -> None:
    with scripted(stored) as (client, server):
        outcomes = list(client.import_products(uploads(3), assume_new=True))
    assert len(server.requests) == len(outcomes) == 3
    assert [outcome.source for outcome in outcomes] == ["f:0", "f:1", "f:2"]


def test_no_more_than_the_window_is_in_flight() -> None:
    read = 0
    answered = 0
    most = 0
    lock = threading.Lock()

    def load(number: int) -> bytes:
        nonlocal read, most
        with lock:
            read += 1
            most = max(most, read - answered)
        return b"x"

    def answer(request: Any) -> catalog_pb2.ImportProductsResponse:
        nonlocal answered
        time.sleep(0.002)
        with lock:
            answered += 1
        return stored(request)

    with scripted(answer) as (client, _):
        assert len(list(client.import_products(uploads(60, load), window=5, assume_new=True))) == 60
    assert most <= 6


def test_server_that_always_wants_more_is_not_fed_forever() -> None:
    def greedy(request: Any) -> catalog_pb2.ImportProductsResponse:
        return catalog_pb2.ImportProductsResponse(
            status=catalog_pb2.IMPORT_STATUS_NEEDS_DATA, missing_image_ids=[request.images[0].image_id]
        )

    with scripted(greedy) as (client, server):
        (outcome,) = client.import_products(uploads(1), assume_new=False)
    assert outcome.problem is not None
    assert outcome.problem.reason == "IMAGE_CHANGED"
    assert len(server.requests) == 3


def test_silent_server_ends_the_import_after_the_stall_limit() -> None:
    with scripted(lambda _: None) as (client, _):
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded) as caught:
            list(client.import_products(uploads(1), assume_new=True, stall_s=0.3))
        assert time.monotonic() - started < 5
    assert caught.value.reason == "IMPORT_STALLED"


def test_no_server_is_unavailable(unused_tcp_port: int) -> None:
    with SearchClient(ClientConfig(f"127.0.0.1:{unused_tcp_port}")) as client, pytest.raises(Unavailable):
        list(client.import_products(uploads(1), assume_new=True))


def test_only_unreadable_files_are_all_reported() -> None:
    def load(_: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    with scripted(stored) as (client, server):
        outcomes = list(client.import_products(uploads(5, load), assume_new=True))
    assert [o.problem.reason for o in outcomes if o.problem] == ["IMAGE_UNREADABLE"] * 5
    assert server.requests == []
