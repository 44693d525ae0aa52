"""How much of the network's speed is left behind gRPC, decoding and batching.

    python -m tests.bench.embedder_bench [--photos FOLDER] [--boxes 16] [--seconds 10] [--out FILE]

Starts a real embedder process, saturates it with a closed loop of asyncio callers (unary calls, then one
bulk stream), and compares embeddings a second with the same engine called in process: on the same crops,
decoded beforehand (the network alone), and with decoding (what one process could do at most). On a CPU,
network and decoding share the cores, so CPU milliseconds for each embedding tell more than the rates do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import grpc
import torch

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from insitu.geometry.v1 import geometry_pb2
from services.embedder.config import DEFAULT_MODEL
from services.embedder.engine import Engine
from services.embedder.engine_choice import EngineChoice, PrecisionChoice, core_count, open_engine
from services.embedder.model_file import Model, load_model
from services.embedder.preprocess import prepare_image
from services.imaging import Box, read_header
from services.runtime.channel import open_aio_channel
from services.runtime.config import ClientConfig
from tests.battery_images import encode, photo
from training.run_record import versions

REPOSITORY = Path(__file__).resolve().parents[2]
BATCH_SIZE = 16
START_LIMIT_S = 120.0


def main() -> None:
    """Run the comparison and write it as JSON."""
    parser = argparse.ArgumentParser(description="Embeddings a second over gRPC and in process.")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model file")
    parser.add_argument("--photos", type=Path, help="folder of JPEG photos; default: made by code")
    parser.add_argument("--boxes", type=int, default=0, help="boxes in each photo; 0 embeds it whole")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each measurement")
    parser.add_argument("--callers", type=int, default=32, help="concurrent unary callers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    photos = load_photos(given.photos, given.boxes)
    cpu_ms: dict[str, float] = {}
    found: dict[str, object] = in_process(given.model, photos, given.seconds, cpu_ms)
    with embedder_process(given.model) as (port, pid):
        address = f"127.0.0.1:{port}"
        found["grpc_unary"] = round(asyncio.run(unary(address, photos, given.callers, given.seconds)), 1)
        before_s = cpu_seconds(pid)
        made, elapsed_s = asyncio.run(stream(address, photos, given.seconds))
        found["grpc_stream"] = round(made / elapsed_s, 1)
        cpu_ms["grpc_stream_server"] = round((cpu_seconds(pid) - before_s) / made * 1e3, 2)
    best = max(float(str(found["grpc_unary"])), float(str(found["grpc_stream"])))
    result = {
        "embeddings_per_s": found,
        "cpu_ms_per_embedding": cpu_ms,
        "grpc_share_of_network_alone": round(best / float(str(found["network_alone"])), 3),
        "grpc_share_of_process_alone": round(best / float(str(found["decode_and_network"])), 3),
        "callers": given.callers,
        "photos": {
            "count": len(photos),
            "mean_bytes": sum(len(photo.data) for photo in photos) // len(photos),
            "boxes_each": given.boxes,
        },
        "machine": {"cores": core_count(), "load": os.getloadavg()[0], "system": platform.platform()},
        "versions": versions(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Photo:
    """A JPEG file and the boxes to embed; none means the whole photo."""

    data: bytes
    boxes: tuple[Box, ...]


def load_photos(folder: Path | None, box_count: int, most: int = 64) -> list[Photo]:
    """Up to `most` JPEG files of a folder, or pictures made by code: 500 x 500 px, 1024 x 768 with boxes."""
    if folder is None:
        size = (1024, 768) if box_count else (500, 500)
        files = [encode(photo(*size, seed=seed)) for seed in range(most)]
    else:
        files = [file.read_bytes() for file in sorted(folder.rglob("*.jpg"))[:most]]
    if not files:
        raise SystemExit(f"There is no .jpg file in {folder}.")
    random = Random(0)
    return [Photo(data, tuple(random_box(data, random) for _ in range(box_count))) for data in files]


def random_box(data: bytes, random: Random) -> Box:
    """A box a tenth to a half as long as the photo on each side."""
    header = read_header(data)
    width, height = (size * random.uniform(0.1, 0.5) for size in (header.width_px, header.height_px))
    left, top = random.uniform(0, header.width_px - width), random.uniform(0, header.height_px - height)
    return Box(left, top, left + width, top + height)


def in_process(
    path: Path, photos: list[Photo], seconds: float, cpu_ms: dict[str, float]
) -> dict[str, object]:
    """The engine without a server: on ready crops, and with decoding in as many threads as cores."""
    model = load_model(path)
    engine = open_engine(model)
    crops = torch.stack([crop for photo in photos for crop in decode(model, photo)])
    size = min(BATCH_SIZE, len(crops))
    batches = [crops[start : start + size] for start in range(0, len(crops) - size + 1, size)]
    alone, cpu_ms["network_alone"] = rate(
        seconds, lambda turn: len(engine.embed(batches[turn % len(batches)]))
    )
    by_engine = {
        f"{kind}-{precision}": round(network_rate(model, kind, precision, batches, seconds / 2), 1)
        for kind in (("torch",) if engine.device != "cpu" else ("torch", "openvino"))
        for precision in ("fp32", "bf16")
    }
    with ThreadPoolExecutor(core_count()) as pool:
        with_decoding, cpu_ms["decode_and_network"] = rate(
            seconds, lambda _: decode_and_embed(model, engine, pool, photos)
        )
    return {
        "engine": f"{engine.name} on {engine.device}",
        "network_alone": round(alone, 1),
        "decode_and_network": round(with_decoding, 1),
        "network_alone_by_engine": by_engine,
    }


def network_rate(
    model: Model, kind: EngineChoice, precision: PrecisionChoice, batches: list[torch.Tensor], seconds: float
) -> float:
    """Embeddings a second of one engine and number format, on ready crops."""
    engine = open_engine(model, engine=kind, precision=precision)
    found, _ = rate(seconds, lambda turn: len(engine.embed(batches[turn % len(batches)])))
    return found


def decode(model: Model, photo: Photo) -> list[torch.Tensor]:
    prepared = prepare_image(photo.data, photo.boxes, model.info.preprocessing)
    return [crop.pixels for crop in prepared.crops]


def decode_and_embed(model: Model, engine: Engine, pool: ThreadPoolExecutor, photos: list[Photo]) -> int:
    """One pass over the photos, decoding ahead of the network."""
    waiting: list[torch.Tensor] = []
    made = 0
    for crops in pool.map(lambda photo: decode(model, photo), photos):
        waiting += crops
        made += len(crops)
        while len(waiting) >= BATCH_SIZE:
            engine.embed(torch.stack(waiting[:BATCH_SIZE]))
            del waiting[:BATCH_SIZE]
    if waiting:
        engine.embed(torch.stack(waiting))
    return made


def rate(seconds: float, turn: Callable[[int], int]) -> tuple[float, float]:
    """Embeddings a second, and CPU milliseconds for each, of `turn`, which returns how many it made."""
    for number in range(2):
        turn(number)
    made = number = 0
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    while time.perf_counter() - started_s < seconds:
        made += turn(number)
        number += 1
    cpu_s = time.process_time() - started_cpu_s
    return made / (time.perf_counter() - started_s), round(cpu_s / made * 1e3, 2)


async def unary(address: str, photos: list[Photo], callers: int, seconds: float) -> float:
    """Embeddings a second with `callers` that each wait for their answer before they ask again."""
    made = 0
    counting = False

    async def caller(number: int) -> None:
        nonlocal made
        while True:
            photo = photos[number % len(photos)]
            request = embedder_pb2.EmbedImageRequest(image=photo.data, boxes=wire_boxes(photo))
            number += callers
            try:
                answer = await stub.EmbedImage(request, timeout=60)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(0.05)
                continue
            made += len(answer.embeddings) * counting

    async with open_aio_channel(ClientConfig(address)) as channel:
        stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        tasks = [asyncio.create_task(caller(number)) for number in range(callers)]
        await asyncio.sleep(1)  # until the queue is full
        counting = True
        started_s = time.perf_counter()
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
        found = made / (time.perf_counter() - started_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
    return found


async def stream(address: str, photos: list[Photo], seconds: float) -> tuple[int, float]:
    """Embeddings made by one bulk stream, and the seconds it took."""
    stop_s = time.perf_counter() + seconds

    async def requests() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        number = 0
        while time.perf_counter() < stop_s:
            photo = photos[number % len(photos)]
            yield embedder_pb2.EmbedImagesRequest(
                item_id=str(number), image=photo.data, boxes=wire_boxes(photo)
            )
            number += 1

    made = 0
    async with open_aio_channel(ClientConfig(address)) as channel:
        stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        started_s = time.perf_counter()
        async for answer in stub.EmbedImages(requests(), timeout=seconds + 60):
            made += len(answer.embedded.embeddings)
        return made, time.perf_counter() - started_s


def wire_boxes(photo: Photo) -> list[geometry_pb2.Box]:
    return [
        geometry_pb2.Box(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)
        for box in photo.boxes
    ]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, from Linux's /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def embedder_process(model: Path) -> Iterator[tuple[int, int]]:
    """A real embedder process; gives its port and process id once it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "services.embedder"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTHONPATH": ".:protos",
            "INSITU_PORT": "0",
            "INSITU_MODEL": str(model.resolve()),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        started_s, port, ready = time.monotonic(), 0, False
        for line in process.stderr:
            entry = json.loads(line) if line.startswith("{") else {}
            port = entry.get("port", port)
            ready = entry.get("event") == "ready"
            if ready or time.monotonic() - started_s > START_LIMIT_S:
                break
        if not ready:
            raise SystemExit("The embedder did not start.")
        with ThreadPoolExecutor(1) as drain:  # an unread log would block the process
            drain.submit(process.stderr.read)
            yield port, process.pid
            process.terminate()
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
