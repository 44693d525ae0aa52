"""insitu.embedder.v1.EmbedderService: protobuf in, protobuf out, no logic of its own."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from insitu.geometry.v1 import geometry_pb2
from services.embedder.admission import Admission
from services.embedder.bulk_stream import answer_all
from services.embedder.engine import Engine
from services.embedder.model_file import Model
from services.embedder.pipeline import MAX_BOXES_PER_IMAGE, EmbeddedImage, Pipeline
from services.imaging import MIN_BOX_SIDE_PX, Box
from services.runtime.errors import InsituError, InvalidInput

MAX_ITEM_ID_BYTES = 256
_METRICS = {"cosine": embedder_pb2.METRIC_COSINE, "euclidean": embedder_pb2.METRIC_EUCLIDEAN}


class EmbedderServicer(embedder_pb2_grpc.EmbedderServiceServicer):
    """Answers the calls of the embedder service.

    Args:
        pipeline: does the work.
        admission: bounds it.
        model: facts for GetModel and the digest in every answer.
        engine: facts for GetModel.
        stream_window: images of one bulk stream in flight.
    """

    def __init__(
        self, pipeline: Pipeline, admission: Admission, model: Model, engine: Engine, *, stream_window: int
    ) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._model = model
        self._engine = engine
        self._stream_window = stream_window

    async def EmbedImage(  # noqa: N802
        self, request: embedder_pb2.EmbedImageRequest, context: Any
    ) -> embedder_pb2.EmbedImageResponse:
        """Embed the boxes of one image."""
        remaining_s: float | None = context.time_remaining()
        deadline_s = None if remaining_s is None else time.monotonic() + remaining_s
        with self._admission.interactive(len(request.boxes)):
            embedded = await self._pipeline.embed(request.image, _boxes(request), deadline_s=deadline_s)
        return self._response(embedded)

    def EmbedImages(  # noqa: N802
        self,
        request_iterator: AsyncIterator[embedder_pb2.EmbedImagesRequest],
        context: Any,  # noqa: ARG002
    ) -> AsyncIterator[embedder_pb2.EmbedImagesResponse]:
        """Embed a stream of images; answers come as they are ready."""
        return answer_all(request_iterator, self._answer_item, window=self._stream_window)

    async def GetModel(  # noqa: N802
        self,
        request: embedder_pb2.GetModelRequest,  # noqa: ARG002
        context: Any,  # noqa: ARG002
    ) -> embedder_pb2.GetModelResponse:
        """Facts about the model, and the limits."""
        info = self._model.info
        limits = self._pipeline.limits
        return embedder_pb2.GetModelResponse(
            model=embedder_pb2.Model(
                digest=self._model.digest,
                name=info.name,
                architecture=info.architecture,
                backbone=info.backbone,
                dimension=info.dimension,
                metric=_METRICS[info.metric],
                input_size_px=info.preprocessing.input_size_px,
                padding_px=info.preprocessing.padding_px,
                categories=info.categories,
                provenance=info.provenance,
                license=info.license,
            ),
            limits=embedder_pb2.Limits(
                max_image_bytes=limits.max_bytes,
                max_jpeg_pixels=limits.max_jpeg_pixels,
                max_other_pixels=limits.max_other_pixels,
                max_boxes_per_image=MAX_BOXES_PER_IMAGE,
                min_box_side_px=MIN_BOX_SIDE_PX,
            ),
            device=self._engine.device,
            engine=self._engine.name,
        )

    async def _answer_item(
        self, request: embedder_pb2.EmbedImagesRequest
    ) -> embedder_pb2.EmbedImagesResponse:
        """One item of a stream. A refusal is its answer; any other error ends the stream."""
        try:
            if len(request.item_id.encode()) > MAX_ITEM_ID_BYTES:
                raise InvalidInput(
                    "item_id", "BAD_ITEM_ID", f"An item_id has at most {MAX_ITEM_ID_BYTES} bytes."
                )
            async with self._admission.bulk():
                embedded = await self._pipeline.embed(request.image, _boxes(request), bulk=True)
        except InvalidInput as refused:
            return embedder_pb2.EmbedImagesResponse(item_id=request.item_id, error=_item_error(refused))
        return embedder_pb2.EmbedImagesResponse(item_id=request.item_id, embedded=self._response(embedded))

    def _response(self, embedded: EmbeddedImage) -> embedder_pb2.EmbedImageResponse:
        return embedder_pb2.EmbedImageResponse(
            embeddings=[
                embedder_pb2.Embedding(
                    values=crop.vector.tolist(),
                    box=geometry_pb2.Box(
                        x_min=crop.box.x_min, y_min=crop.box.y_min, x_max=crop.box.x_max, y_max=crop.box.y_max
                    ),
                    contrast=crop.contrast,
                )
                for crop in embedded.crops
            ],
            model_digest=self._model.digest,
            image_width_px=embedded.width_px,
            image_height_px=embedded.height_px,
            timing=embedder_pb2.EmbedTiming(
                decode_ms=embedded.decode_ms, wait_ms=embedded.wait_ms, forward_ms=embedded.forward_ms
            ),
        )


def _boxes(request: embedder_pb2.EmbedImageRequest | embedder_pb2.EmbedImagesRequest) -> list[Box]:
    return [Box(box.x_min, box.y_min, box.x_max, box.y_max) for box in request.boxes]


def _item_error(error: InsituError) -> embedder_pb2.ItemError:
    return embedder_pb2.ItemError(reason=error.reason, field=error.field, message=error.message)
