"""The runtime over real gRPC: errors, tokens, TLS, health, limits, drain."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
import structlog
import trustme
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from services.runtime.channel import open_aio_channel
from services.runtime.config import ClientConfig, ServerConfig
from services.runtime.errors import Busy, InsituError, InvalidInput, NotFound, error_from_call
from services.runtime.logs import configure_logging, request_id
from services.runtime.server import READINESS, GrpcServer

SERVICE = "insitu.embedder.v1.EmbedderService"
Handler = Callable[[embedder_pb2.EmbedImageRequest], None]


class Servicer(embedder_pb2_grpc.EmbedderServiceServicer):
    """Answers, or raises what the test wants raised."""

    def __init__(self, handle: Handler = lambda _request: None, wait_s: float = 0.0) -> None:
        self.handle = handle
        self.wait_s = wait_s
        self.seen_request_id = ""
        self.cancelled = 0

    async def EmbedImage(self, request, context):  # type: ignore[no-untyped-def]
        self.seen_request_id = request_id.get()
        try:
            await asyncio.sleep(self.wait_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.handle(request)
        return embedder_pb2.EmbedImageResponse(model_digest="sha256:0")

    async def EmbedImages(self, request_iterator, context):  # type: ignore[no-untyped-def]
        async for request in request_iterator:
            self.handle(embedder_pb2.EmbedImageRequest(image=request.image))
            yield embedder_pb2.EmbedImagesResponse(item_id=request.item_id)


@asynccontextmanager
async def running(servicer: Servicer, **config: object) -> AsyncIterator[GrpcServer]:
    settings = ServerConfig(port=0, drain_s=2.0).model_copy(update=config)
    async with GrpcServer(settings, "test", [SERVICE]) as server:
        embedder_pb2_grpc.add_EmbedderServiceServicer_to_server(servicer, server.grpc)
        await server.start()
        server.set_ready(True)
        await asyncio.sleep(0)
        yield server


async def call(
    server: GrpcServer, image: bytes = b"", timeout: float = 5, **client: object
) -> embedder_pb2.EmbedImageResponse:
    config = ClientConfig(f"localhost:{server.port}", **client)  # type: ignore[arg-type]
    async with open_aio_channel(config) as channel:
        stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        request = embedder_pb2.EmbedImageRequest(image=image)
        answer: embedder_pb2.EmbedImageResponse = await stub.EmbedImage(request, timeout=timeout)
        return answer


def raising(error: Exception) -> Handler:
    def handle(_request: object) -> None:
        raise error

    return handle


def details(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    return status_pb2.Status.FromString(packed)


@pytest.mark.parametrize(
    "raised",
    [
        InvalidInput("boxes[2]", "BAD_BOX", "The box is reversed."),
        NotFound("product_id", "NO_SUCH_PRODUCT", "No product has the id 7."),
        Busy("QUEUE_FULL", "Full.", retry_after_s=1.5),
    ],
)
async def test_typed_error_crosses_the_wire_whole(raised: InsituError) -> None:
    async with running(Servicer(raising(raised))) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server)
    received = error_from_call(caught.value)
    assert type(received) is type(raised)
    assert (received.reason, received.message, received.field, received.retry_after_s) == (
        raised.reason,
        raised.message,
        raised.field,
        raised.retry_after_s,
    )


async def test_invalid_input_carries_bad_request_and_error_info() -> None:
    async with running(Servicer(raising(InvalidInput("image", "EMPTY", "No image.")))) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server)
    bad, info = error_details_pb2.BadRequest(), error_details_pb2.ErrorInfo()
    unpacked = [part for part in details(caught.value).details if part.Unpack(bad) or part.Unpack(info)]
    assert len(unpacked) == 2
    assert (info.reason, info.domain) == ("EMPTY", "insitu")
    assert (bad.field_violations[0].field, bad.field_violations[0].description) == ("image", "No image.")


async def test_error_in_a_stream_ends_it_with_the_same_details() -> None:
    async with (
        running(Servicer(raising(Busy("QUEUE_FULL", "Full.")))) as server,
        open_aio_channel(ClientConfig(f"localhost:{server.port}")) as channel,
    ):
        stream = embedder_pb2_grpc.EmbedderServiceStub(channel).EmbedImages(timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stream.write(embedder_pb2.EmbedImagesRequest(item_id="a"))
            await stream.read()
    assert error_from_call(caught.value).reason == "QUEUE_FULL"


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, str]]]]:
    """The JSON lines that a process with configured logging would write."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("test", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_bug_in_a_handler_leaks_nothing_but_a_request_id(
    log_lines: Callable[[], list[dict[str, str]]],
) -> None:
    async with running(Servicer(raising(RuntimeError("secret path /etc/shadow")))) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in str(caught.value)
    given = dict(caught.value.trailing_metadata())["x-request-id"]
    assert str(given) in caught.value.details()
    [logged] = [line for line in log_lines() if line["event"] == "unexpected error"]
    assert "secret path" in logged["exception"]
    assert logged["request_id"] == given
    assert (logged["process"], logged["level"]) == ("test", "error")


async def test_request_id_of_the_caller_is_used_and_passed_on() -> None:
    servicer = Servicer()
    async with running(servicer) as server:
        token = request_id.set("abc-123")
        try:
            await call(server)
        finally:
            request_id.reset(token)
    assert servicer.seen_request_id == "abc-123"


async def test_strange_request_id_is_replaced() -> None:
    servicer = Servicer()
    async with running(servicer) as server:
        token = request_id.set("x" * 65)
        try:
            await call(server)
        finally:
            request_id.reset(token)
    assert servicer.seen_request_id
    assert "x" not in servicer.seen_request_id


async def test_unknown_method_is_unimplemented() -> None:
    async with (
        running(Servicer()) as server,
        grpc.aio.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(f"/{SERVICE}/Nothing")(b"", timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_undecodable_message_gets_a_fixed_status(
    log_lines: Callable[[], list[dict[str, str]]],
) -> None:
    junk = b"\xff\xff\xff secret"
    async with (
        running(Servicer()) as server,
        grpc.aio.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as alone:
            await channel.unary_unary(f"/{SERVICE}/EmbedImage")(junk, timeout=5)
        with pytest.raises(grpc.aio.AioRpcError) as in_a_stream:
            await channel.stream_stream(f"/{SERVICE}/EmbedImages")(iter([junk]), timeout=5).read()
    for caught in (alone, in_a_stream):
        error = error_from_call(caught.value)
        assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNDECODABLE")
        assert "google" not in error.message
    assert [line for line in log_lines() if line["level"] == "error" or "secret" in str(line)] == []


async def test_message_over_the_limit_is_resource_exhausted() -> None:
    async with running(Servicer(), max_message_bytes=100_000) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server, image=bytes(200_000))
        assert (await call(server)).model_digest
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_20_kb_of_metadata_is_resource_exhausted() -> None:
    async with (
        running(Servicer()) as server,
        grpc.aio.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.EmbedImage(
                embedder_pb2.EmbedImageRequest(), metadata=(("filler", "x" * 20_000),), timeout=5
            )
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("token", ["", "wrong"])
async def test_missing_or_wrong_token_is_unauthenticated(token: str) -> None:
    from pydantic import SecretStr

    async with running(Servicer(), tokens=SecretStr("right, also-right")) as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server, token=token)
        assert (await call(server, token="also-right")).model_digest
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "right" not in caught.value.details()


async def test_health_needs_no_token() -> None:
    from pydantic import SecretStr

    async with (
        running(Servicer(), tokens=SecretStr("right")) as server,
        grpc.aio.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_token_never_travels_in_clear_text_to_another_machine() -> None:
    with pytest.raises(SystemExit, match="clear text"):
        open_aio_channel(ClientConfig("search.example:50052", token="t"))


class Certificates:
    """A certificate authority with one server and one client certificate, as files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.files = {}
        for name in ("server", "client"):
            issued = authority.issue_cert("localhost", common_name=name)
            cert, key = folder / f"{name}.pem", folder / f"{name}.key"
            cert.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
            issued.private_key_pem.write_to_path(key)
            self.files[name] = (cert, key)


async def test_mutual_tls_lets_in_only_clients_of_the_authority(tmp_path: Path) -> None:
    good, rogue = Certificates(tmp_path / "good"), Certificates(tmp_path / "rogue")
    cert, key = good.files["server"]
    async with running(Servicer(), tls_cert=cert, tls_key=key, tls_client_ca=good.ca) as server:
        own_cert, own_key = good.files["client"]
        assert (await call(server, tls_ca=good.ca, tls_cert=own_cert, tls_key=own_key)).model_digest

        rogue_cert, rogue_key = rogue.files["client"]
        refused: list[dict[str, object]] = [
            {},  # plaintext to a TLS port
            {"tls_ca": good.ca},  # no client certificate
            {"tls_ca": good.ca, "tls_cert": rogue_cert, "tls_key": rogue_key},
            {"tls_ca": rogue.ca, "tls_cert": own_cert, "tls_key": own_key},  # a server it does not trust
        ]
        for client in refused:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(server, timeout=3, **client)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE, client


async def test_deadline_shorter_than_the_work_ends_on_time_and_stops_the_work() -> None:
    servicer = Servicer(wait_s=5)
    async with running(servicer) as server:
        started = time.perf_counter()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(server, timeout=0.2)
        assert time.perf_counter() - started < 1
        await asyncio.sleep(0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert servicer.cancelled == 1


async def test_call_in_flight_survives_the_drain() -> None:
    async with running(Servicer(wait_s=0.5)) as server:
        in_flight = asyncio.create_task(call(server))
        await asyncio.sleep(0.2)
        await server.stop()
        assert (await in_flight).model_digest


async def test_readiness_and_liveness_are_told_apart() -> None:
    async with (
        running(Servicer()) as server,
        grpc.aio.insecure_channel(f"localhost:{server.port}") as channel,
    ):
        server.set_ready(False)
        await asyncio.sleep(0.05)
        stub = health_pb2_grpc.HealthStub(channel)
        statuses = [
            (await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)).status
            for name in ("", READINESS, SERVICE)
        ]
    response = health_pb2.HealthCheckResponse
    assert statuses == [response.SERVING, response.NOT_SERVING, response.NOT_SERVING]


async def test_taken_port_is_said_in_words() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        server = GrpcServer(ServerConfig(port=holder.getsockname()[1]), "test", [SERVICE])
        with pytest.raises(SystemExit, match="port is taken"):
            await server.start()
        await server.stop()


async def test_half_a_preface_and_http_1_do_not_disturb_others() -> None:
    async with running(Servicer()) as server:
        writers = []
        for bytes_sent in (b"PRI * HTTP/2.0\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"):
            _reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(bytes_sent)
            await writer.drain()
            writers.append(writer)
        assert (await call(server)).model_digest
        for writer in writers:
            writer.close()
