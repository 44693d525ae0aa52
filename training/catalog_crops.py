"""Embeds the pictures of a catalogue in process: the embedder's own crop and engine, without its server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.embedder.engine import Engine
from services.embedder.engine_choice import core_count
from services.embedder.model_info import Preprocessing
from services.embedder.preprocess import BoxOfImageRefused, prepare_image
from services.imaging import Box, ImageRefused

_BATCH_SIZE = 16
_DECODED_AHEAD = 32


@dataclass(frozen=True)
class Picture:
    """An image file and what to cut out of it: (key, box) pairs, or no box for the whole image.

    `key` is whatever the caller wants to find the embedding by.
    """

    file: Path
    boxes: tuple[tuple[int, Box | None], ...]


@dataclass(frozen=True)
class EmbeddedPictures:
    """Embeddings (N, dimension) float32 with their keys (N,), and how many pictures were refused."""

    vectors: NDArray[np.float32]
    keys: NDArray[np.int64]
    refused: int


def embed_pictures(
    pictures: Iterable[Picture], engine: Engine, preprocessing: Preprocessing
) -> EmbeddedPictures:
    """Embed every crop of every picture; a picture that is refused is left out and counted."""
    keys: list[int] = []
    vectors: list[NDArray[np.float32]] = []
    refused = 0
    waiting: list[Tensor] = []
    with ThreadPoolExecutor(core_count(), "decode") as pool:
        for picture, crops in _decoded(pool, pictures, preprocessing):
            if crops is None:
                refused += 1
                continue
            keys += [key for key, _ in picture.boxes]
            waiting += crops
            while len(waiting) >= _BATCH_SIZE:
                vectors.append(engine.embed(torch.stack(waiting[:_BATCH_SIZE])))
                del waiting[:_BATCH_SIZE]
    if waiting:
        vectors.append(engine.embed(torch.stack(waiting)))
    stacked = np.concatenate(vectors) if vectors else np.empty((0, 0), np.float32)
    return EmbeddedPictures(stacked, np.array(keys, np.int64), refused)


def _decoded(
    pool: ThreadPoolExecutor, pictures: Iterable[Picture], preprocessing: Preprocessing
) -> Iterator[tuple[Picture, list[Tensor] | None]]:
    """The crops of each picture in order, a bounded number of pictures ahead; None for a refused one."""
    source = iter(pictures)
    ahead: list[tuple[Picture, Future[list[Tensor] | None]]] = []
    while True:
        for picture in islice(source, _DECODED_AHEAD - len(ahead)):
            ahead.append((picture, pool.submit(_crops, picture, preprocessing)))  # noqa: PERF401
        if not ahead:
            return
        picture, crops = ahead.pop(0)
        yield picture, crops.result()


def _crops(picture: Picture, preprocessing: Preprocessing) -> list[Tensor] | None:
    boxes: Sequence[Box] = [box for _, box in picture.boxes if box is not None]
    try:
        prepared = prepare_image(picture.file.read_bytes(), boxes, preprocessing)
    except (OSError, ImageRefused, BoxOfImageRefused):
        return None
    return [crop.pixels for crop in prepared.crops]
