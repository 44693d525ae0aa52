"""From one image to its embeddings: decode and crop in worker threads, then the batcher."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.embedder import metrics
from services.embedder.batcher import Batcher
from services.embedder.model_info import Preprocessing
from services.embedder.preprocess import BoxOfImageRefused, PreparedImage, prepare_image
from services.imaging import DEFAULT_LIMITS, Box, BoxRefused, ImageLimits, ImageRefused
from services.runtime.errors import DeadlineExceeded, InvalidInput

MAX_BOXES_PER_IMAGE = 64


@dataclass(frozen=True)
class EmbeddedCrop:
    """One embedding: (dimension,) float32, what it shows, and how much contrast there is in it."""

    vector: NDArray[np.float32]
    box: Box
    contrast: float


@dataclass(frozen=True)
class EmbeddedImage:
    """The embeddings of one image, its upright size in pixels, and where the time went."""

    crops: tuple[EmbeddedCrop, ...]
    width_px: int
    height_px: int
    decode_ms: float
    wait_ms: float
    forward_ms: float


class Pipeline:
    """Embeds images; to be used on one event loop.

    Args:
        batcher: owns the device.
        preprocessing: of the model.
        decode_threads: decoders running at a time.
        limits: of an image.
    """

    def __init__(
        self,
        batcher: Batcher,
        preprocessing: Preprocessing,
        *,
        decode_threads: int,
        limits: ImageLimits = DEFAULT_LIMITS,
    ) -> None:
        self.limits = limits
        self._batcher = batcher
        self._preprocessing = preprocessing
        self._decoders = ThreadPoolExecutor(decode_threads, "decode")

    async def embed(
        self, image: bytes, boxes: Sequence[Box], *, deadline_s: float | None = None, bulk: bool = False
    ) -> EmbeddedImage:
        """Embed each box of an image file, or the whole image when there is none.

        Args:
            image: the file.
            boxes: in pixels of the upright image.
            deadline_s: on `time.monotonic`'s clock; nothing is begun after it.
            bulk: let other callers' crops go first.

        Raises:
            InvalidInput: the image or a box is refused; the field is named.
            DeadlineExceeded: the deadline passed.
            EngineFailedError, Unavailable: as `Batcher.embed`.
        """
        if len(boxes) > MAX_BOXES_PER_IMAGE:
            metrics.REFUSALS.labels("TOO_MANY_BOXES").inc()
            raise InvalidInput(
                "boxes", "TOO_MANY_BOXES", f"An image may have at most {MAX_BOXES_PER_IMAGE} boxes."
            )
        prepared, decode_s = await asyncio.get_running_loop().run_in_executor(
            self._decoders, self._prepare, image, boxes, deadline_s
        )
        pixels = [crop.pixels for crop in prepared.crops]
        embedded = await self._batcher.embed(pixels, deadline_s=deadline_s, bulk=bulk)
        metrics.IMAGES.labels("bulk" if bulk else "interactive").inc()
        return EmbeddedImage(
            tuple(
                EmbeddedCrop(result.vector, crop.box, crop.contrast)
                for result, crop in zip(embedded, prepared.crops, strict=True)
            ),
            prepared.width_px,
            prepared.height_px,
            decode_ms=decode_s * 1e3,
            wait_ms=max(result.wait_ms for result in embedded),
            forward_ms=max(result.forward_ms for result in embedded),
        )

    def close(self) -> None:
        """Stop decoding; what has begun ends by itself."""
        self._decoders.shutdown(wait=False, cancel_futures=True)

    def _prepare(
        self, image: bytes, boxes: Sequence[Box], deadline_s: float | None
    ) -> tuple[PreparedImage, float]:
        """Runs in a decoder's thread; returns the crops and the seconds they took."""
        if deadline_s is not None and time.monotonic() >= deadline_s:
            raise DeadlineExceeded("DEADLINE", "The time for this call was over before its turn came.")
        started_s = time.perf_counter()
        try:
            prepared = prepare_image(image, boxes, self._preprocessing, self.limits)
        except ImageRefused as refused:
            metrics.REFUSALS.labels(refused.reason).inc()
            raise InvalidInput("image", refused.reason, refused.message) from refused
        except BoxOfImageRefused as error:
            refused_box = error.__cause__
            assert isinstance(refused_box, BoxRefused)
            metrics.REFUSALS.labels(refused_box.reason).inc()
            raise InvalidInput(f"boxes[{error.index}]", refused_box.reason, refused_box.message) from error
        decode_s = time.perf_counter() - started_s
        metrics.STAGE_SECONDS.labels("decode").observe(decode_s)
        return prepared, decode_s
