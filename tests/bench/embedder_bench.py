"""How much of the network's speed is left behind gRPC, decoding and batching.

    python -m tests.bench.embedder_bench [--photos FOLDER] [--seconds 10] [--out FILE]

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
from pathlib import Path

import torch

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from services.embedder.config import DEFAULT_MODEL
from services.embedder.engine import Engine
from services.embedder.engine_choice import core_count, open_engine
from services.embedder.model_file import Model, load_model
from services.embedder.preprocess import prepare_image
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
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each measurement")
    parser.add_argument("--callers", type=int, default=32, help="concurrent unary callers")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    photos = load_photos(given.photos)
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
        "photos": {"count": len(photos), "mean_bytes": sum(map(len, photos)) // len(photos)},
        "machine": {"cores": core_count(), "load": os.getloadavg()[0], "system": platform.platform()},
        "versions": versions(),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(text + "\n", encoding="utf-8")


def load_photos(folder: Path | None, most: int = 64) -> list[bytes]:
    """Up to `most` JPEG files of a folder, or pictures of 500 x 500 pixels made by code."""
    if folder is None:
        return [encode(photo(500, 500, seed=seed)) for seed in range(most)]
    files = sorted(folder.rglob("*.jpg"))[:most]
    if not files:
        raise SystemExit(f"There is no .jpg file in {folder}.")
    return [file.read_bytes() for file in files]


def in_process(
    path: Path, photos: list[bytes], seconds: float, cpu_ms: dict[str, float]
) -> dict[str, object]:
    """The engine without a server: on ready crops, and with decoding in as many threads as cores."""
    model = load_model(path)
    engine = open_engine(model)
    crops = torch.stack([decode(model, data) for data in photos])
    size = min(BATCH_SIZE, len(crops))
    batches = [crops[start : start + size] for start in range(0, len(crops) - size + 1, size)]
    alone, cpu_ms["network_alone"] = rate(
        seconds, lambda turn: len(engine.embed(batches[turn % len(batches)]))
    )
    with ThreadPoolExecutor(core_count()) as pool:
        with_decoding, cpu_ms["decode_and_network"] = rate(
            seconds, lambda _: decode_and_embed(model, engine, pool, photos)
        )
    return {
        "engine": f"{engine.name} on {engine.device}",
        "network_alone": round(alone, 1),
        "decode_and_network": round(with_decoding, 1),
    }


def decode(model: Model, data: bytes) -> torch.Tensor:
    return prepare_image(data, [], model.info.preprocessing).crops[0].pixels


def decode_and_embed(model: Model, engine: Engine, pool: ThreadPoolExecutor, photos: list[bytes]) -> int:
    """One pass over the photos, decoding ahead of the network."""
    waiting: list[torch.Tensor] = []
    for pixels in pool.map(lambda data: decode(model, data), photos):
        waiting.append(pixels)
        if len(waiting) == BATCH_SIZE:
            engine.embed(torch.stack(waiting))
            waiting.clear()
    if waiting:
        engine.embed(torch.stack(waiting))
    return len(photos)


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


async def unary(address: str, photos: list[bytes], callers: int, seconds: float) -> float:
    """Embeddings a second with `callers` that each wait for their answer before they ask again."""
    made = 0
    counting = False

    async def caller(number: int) -> None:
        nonlocal made
        while True:
            request = embedder_pb2.EmbedImageRequest(image=photos[number % len(photos)])
            answer = await stub.EmbedImage(request, timeout=60)
            number += callers
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


async def stream(address: str, photos: list[bytes], seconds: float) -> tuple[int, float]:
    """Embeddings made by one bulk stream, and the seconds it took."""
    stop_s = time.perf_counter() + seconds

    async def requests() -> AsyncIterator[embedder_pb2.EmbedImagesRequest]:
        number = 0
        while time.perf_counter() < stop_s:
            yield embedder_pb2.EmbedImagesRequest(item_id=str(number), image=photos[number % len(photos)])
            number += 1

    made = 0
    async with open_aio_channel(ClientConfig(address)) as channel:
        stub = embedder_pb2_grpc.EmbedderServiceStub(channel)
        started_s = time.perf_counter()
        async for answer in stub.EmbedImages(requests(), timeout=seconds + 60):
            made += len(answer.embedded.embeddings)
        return made, time.perf_counter() - started_s


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
