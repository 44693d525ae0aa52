"""The embedder over real gRPC: answers, load, cancellation, faults."""

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from PIL import Image

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from insitu.geometry.v1 import geometry_pb2
from services.embedder.color_model import write_color_model
from services.runtime.channel import open_aio_channel
from services.runtime.config import ClientConfig
from tests import battery_images as battery
from tests.conftest import REPOSITORY
from tests.integration.embedder_harness import Running, reasons, running

RED, BLUE = (
    battery.encode(Image.new("RGB", (64, 64), colour), "PNG") for colour in ((220, 20, 20), (20, 20, 220))
)


def request(image: bytes = RED) -> embedder_pb2.EmbedImageRequest:
    return embedder_pb2.EmbedImageRequest(image=image)


def item(item_id: str, image: bytes = RED) -> embedder_pb2.EmbedImagesRequest:
    return embedder_pb2.EmbedImagesRequest(item_id=item_id, image=image)


async def readiness(server: Running) -> int:
    stub: Any = health_pb2_grpc.HealthStub(server.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service="readiness"), timeout=5)
    return int(answer.status)


async def until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "it never happened"
        await asyncio.sleep(0.01)


async def test_vectors_have_unit_length_and_like_colours_are_alike() -> None:
    reddish = battery.encode(Image.new("RGB", (64, 64), (200, 40, 30)), "PNG")
    async with running() as server:
        vectors = [
            np.array((await server.stub.EmbedImage(request(image), timeout=5)).embeddings[0].values)
            for image in (RED, reddish, BLUE)
        ]
    assert [np.linalg.norm(vector) for vector in vectors] == pytest.approx([1, 1, 1], abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


async def test_the_answer_says_where_the_time_went_and_which_model_it_was() -> None:
    async with running() as server:
        answer = await server.stub.EmbedImage(request(battery.jpeg(1600, 1200)), timeout=5)
        model = await server.stub.GetModel(embedder_pb2.GetModelRequest(), timeout=5)
    assert answer.timing.decode_ms > 0
    assert answer.timing.forward_ms > 0
    assert answer.timing.wait_ms >= 0
    assert answer.model_digest == model.model.digest


async def test_get_model_gives_facts_and_limits() -> None:
    async with running() as server:
        answer = await server.stub.GetModel(embedder_pb2.GetModelRequest(), timeout=5)
        embedded = await server.stub.EmbedImage(request(), timeout=5)
    assert answer.model.metric == embedder_pb2.METRIC_COSINE
    assert answer.model.dimension == len(embedded.embeddings[0].values)
    assert (answer.limits.max_image_bytes, answer.limits.max_jpeg_pixels) == (10 * 2**20, 35_000_000)
    assert (answer.limits.max_boxes_per_image, answer.limits.min_box_side_px) == (64, 8)
    assert (answer.device, answer.engine) == ("cpu", "gated")


async def test_200_concurrent_clients_get_nothing_but_ok_and_resource_exhausted() -> None:
    image = battery.jpeg(1024, 768)

    async def client(server: Running) -> list[grpc.StatusCode]:
        codes = []
        async with open_aio_channel(ClientConfig(server.address)) as channel:
            stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
            for _ in range(3):
                try:
                    await stub.EmbedImage(request(image), timeout=30)
                    codes.append(grpc.StatusCode.OK)
                except grpc.aio.AioRpcError as error:
                    codes.append(error.code())
                    reason, _, retry_after_s = reasons(error)
                    assert (reason, bool(retry_after_s)) == ("EMBEDDER_BUSY", True)
        return codes

    async with running(max_in_flight=32) as server:
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answers = await asyncio.gather(*(client(server) for _ in range(200)))
        grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 2**10
        codes = {code for each in answers for code in each}
        assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert grpc.StatusCode.OK in codes
        assert grown_mb < 500
        await server.stub.EmbedImage(request(), timeout=5)


async def test_a_full_service_refuses_at_once_and_says_when_to_come_again() -> None:
    async with running(max_in_flight=2) as server:
        server.engine.gate.clear()
        held = [asyncio.ensure_future(server.stub.EmbedImage(request(), timeout=20)) for _ in range(2)]
        await until(server.engine.started.is_set)
        started_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            for _ in range(3):
                await server.stub.EmbedImage(request(), timeout=20)
        assert time.monotonic() - started_s < 2
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        reason, _, retry_after_s = reasons(caught.value)
        assert reason == "EMBEDDER_BUSY"
        assert retry_after_s == pytest.approx(0.5)
        server.engine.gate.set()
        await asyncio.gather(*held)


async def test_work_of_a_client_that_left_is_not_computed() -> None:
    async with running() as server:
        server.engine.gate.clear()
        first = asyncio.ensure_future(server.stub.EmbedImage(request(), timeout=20))
        await until(server.engine.started.is_set)
        leaving = [server.stub.EmbedImage(request(), timeout=20) for _ in range(5)]
        await asyncio.sleep(0.2)
        for call in leaving:
            call.cancel()
        await asyncio.sleep(0.2)
        server.engine.gate.set()
        await first
        await server.stub.EmbedImage(request(), timeout=5)
        assert server.engine.computed == 2


async def test_a_deadline_shorter_than_the_wait_is_kept_and_the_work_skipped() -> None:
    async with running() as server:
        server.engine.gate.clear()
        first = asyncio.ensure_future(server.stub.EmbedImage(request(), timeout=20))
        await until(server.engine.started.is_set)
        started_s = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.EmbedImage(request(), timeout=0.3)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert time.monotonic() - started_s < 2
        await asyncio.sleep(0.1)
        server.engine.gate.set()
        await first
        await server.stub.EmbedImage(request(), timeout=5)
        assert server.engine.computed == 2


async def test_an_engine_error_reaches_every_caller_without_its_text_and_service_goes_on() -> None:
    async with running() as server:
        server.engine.gate.clear()
        server.engine.failing = True
        calls = [asyncio.ensure_future(server.stub.EmbedImage(request(), timeout=20)) for _ in range(8)]
        await until(server.engine.started.is_set)
        await asyncio.sleep(0.3)  # the other seven wait for the next batch
        server.engine.gate.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            assert isinstance(result, grpc.aio.AioRpcError)
            assert result.code() == grpc.StatusCode.INTERNAL
            assert "secret" not in (result.details() or "")
        server.engine.failing = False
        await server.stub.EmbedImage(request(), timeout=5)
        assert await readiness(server) == health_pb2.HealthCheckResponse.SERVING


async def test_a_dead_batcher_turns_health_to_not_serving_and_calls_to_unavailable() -> None:
    async with running() as server:
        assert await readiness(server) == health_pb2.HealthCheckResponse.SERVING
        server.engine.failing = True
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError):
                await server.stub.EmbedImage(request(), timeout=5)
        await asyncio.sleep(0.1)
        assert await readiness(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.EmbedImage(request(), timeout=5)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_stream_answers_every_item_by_its_id_with_its_own_vector() -> None:
    rng = np.random.default_rng(5)
    colours = {f"item-{number}": tuple(rng.integers(0, 256, 3).tolist()) for number in range(120)}

    async def items() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        for item_id, colour in colours.items():
            yield item(item_id, battery.encode(Image.new("RGB", (32, 32), colour), "PNG"))

    async with running() as server:
        answers = [answer async for answer in server.stub.EmbedImages(items(), timeout=60)]
    assert sorted(answer.item_id for answer in answers) == sorted(colours)
    for answer in answers:
        (embedding,) = answer.embedded.embeddings
        vector = np.array(embedding.values)
        colour = (vector[[0, 4, 8]] / vector[12] * 0.5 * 0.5 + 0.5) * 255
        assert colour == pytest.approx(colours[answer.item_id], abs=2)


async def test_a_stream_embeds_boxes_and_refuses_a_bad_one_by_item() -> None:
    good, bad = item("good"), item("bad")
    good.boxes.extend([geometry_pb2.Box(x_min=0, y_min=0, x_max=30, y_max=30)] * 3)
    bad.boxes.add(x_min=30, y_min=0, x_max=0, y_max=30)
    long_id = item("x" * 257)
    async with running() as server:
        answers = {
            a.item_id: a async for a in server.stub.EmbedImages(iter([good, bad, long_id]), timeout=20)
        }
    assert len(answers["good"].embedded.embeddings) == 3
    assert (answers["bad"].error.reason, answers["bad"].error.field) == ("BAD_BOX", "boxes[0]")
    assert answers["x" * 257].error.reason == "BAD_ITEM_ID"


async def test_a_stream_takes_no_more_than_its_window_while_the_device_is_held() -> None:
    taken = 0
    # Images this large fill HTTP/2's own window, so that reading stops where the server stops.
    large = battery.encode(battery.photo(700, 700), "PNG")

    async def items() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        nonlocal taken
        for number in range(60):
            taken += 1
            yield item(str(number), large)

    async with running(max_bulk_in_flight=4, max_batch_size=2) as server:
        server.engine.gate.clear()
        call = server.stub.EmbedImages(items(), timeout=60)
        await until(server.engine.started.is_set)
        await asyncio.sleep(0.7)
        assert taken < 20
        assert await readiness(server) == health_pb2.HealthCheckResponse.SERVING
        server.engine.gate.set()
        answers = [answer async for answer in call]
    assert len(answers) == 60


async def test_a_person_is_served_while_streams_fill_the_service() -> None:
    async def items() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        for number in range(300):
            yield item(str(number), battery.jpeg(320, 240))

    async with running(max_in_flight=4, max_bulk_in_flight=16) as server:
        streams = [server.stub.EmbedImages(items(), timeout=60) for _ in range(2)]
        readers = [asyncio.ensure_future(drain(stream)) for stream in streams]
        for _ in range(20):
            await server.stub.EmbedImage(request(), timeout=5)
        assert await asyncio.gather(*readers) == [300, 300]


async def drain(stream: Any) -> int:
    return len([answer async for answer in stream])


async def test_a_cancelled_stream_stops_its_work() -> None:
    async def items() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        for number in range(1000):
            yield item(str(number))

    async with running(max_batch_size=4) as server:
        server.engine.gate.clear()
        call = server.stub.EmbedImages(items(), timeout=60)
        await until(server.engine.started.is_set)
        call.cancel()
        await asyncio.sleep(0.3)
        server.engine.gate.set()
        await server.stub.EmbedImage(request(), timeout=5)
        assert server.engine.computed <= 6


async def test_calls_in_flight_at_shutdown_are_answered() -> None:
    async with running(drain_s=5.0) as server:
        server.engine.gate.clear()
        calls = [asyncio.ensure_future(server.stub.EmbedImage(request(), timeout=20)) for _ in range(4)]
        await until(server.engine.started.is_set)
        await asyncio.sleep(0.1)
        stopping = asyncio.create_task(server.embedder.server.stop())
        await asyncio.sleep(0.1)
        server.engine.gate.set()
        answers = await asyncio.gather(*calls)
        await stopping
    assert all(len(answer.embeddings) == 1 for answer in answers)


async def test_a_message_over_the_limit_is_resource_exhausted() -> None:
    async with running() as server:
        options = (("grpc.max_send_message_length", -1),)
        async with grpc.aio.insecure_channel(server.address, options=options) as channel:
            stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.EmbedImage(request(bytes(13 * 2**20)), timeout=20)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await server.stub.EmbedImage(request(), timeout=5)


async def test_20_kilobytes_of_metadata_are_resource_exhausted() -> None:
    async with running() as server:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.stub.EmbedImage(request(), timeout=5, metadata=(("x-junk", "a" * 20_000),))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        await server.stub.EmbedImage(request(), timeout=5)


def start_process(tmp_path: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "services.embedder"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": ".:protos", "INSITU_PORT": "0", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_missing_model_file_is_named_at_the_start(tmp_path: Path) -> None:
    process = start_process(tmp_path, INSITU_MODEL=str(tmp_path / "nowhere.safetensors"))
    _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "nowhere.safetensors cannot be read" in log
    assert "Traceback" not in log


def test_the_process_serves_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    write_color_model(tmp_path / "color.safetensors")
    process = start_process(tmp_path, INSITU_MODEL=str(tmp_path / "color.safetensors"), INSITU_ENGINE="torch")
    assert process.stderr is not None
    port = 0
    for line in process.stderr:
        entry = json.loads(line)
        port = entry.get("port", port)
        if entry["event"] == "ready":
            break
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        answer = embedder_pb2_grpc.EmbedderServiceStub(channel).EmbedImage(request(), timeout=10)
    assert len(answer.embeddings) == 1
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
