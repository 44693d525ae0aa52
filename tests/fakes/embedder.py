"""An embedder without a network whose vectors mean something: a red sofa finds a red sofa.

An embedding is the mean colour of each cell of a 2 x 2 grid over the crop, less middle grey.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np

from insitu.embedder.v1 import embedder_pb2, embedder_pb2_grpc
from insitu.geometry.v1 import geometry_pb2
from services.imaging import Box, BoxRefused, ImageRefused, decode_image
from services.runtime.config import ServerConfig
from services.runtime.errors import InvalidInput
from services.runtime.server import GrpcServer

DIMENSION = 12
DEFAULT_DIGEST = "sha256:" + hashlib.sha256(b"mean colour").hexdigest()


class FakeEmbedder(embedder_pb2_grpc.EmbedderServiceServicer):
    """Counts what it embeds; `delay_s` makes it slow, `digest` makes it another model."""

    def __init__(self, digest: str = DEFAULT_DIGEST, delay_s: float = 0.0) -> None:
        self.digest = digest
        self.delay_s = delay_s
        self.embedded_crops = 0
        self.metric = embedder_pb2.METRIC_COSINE

    async def GetModel(self, request: Any, context: Any) -> embedder_pb2.GetModelResponse:
        model = embedder_pb2.Model(
            digest=self.digest, name="mean-color", dimension=DIMENSION, metric=self.metric
        )
        return embedder_pb2.GetModelResponse(model=model, device="cpu", engine="fake")

    async def EmbedImage(
        self, request: embedder_pb2.EmbedImageRequest, context: Any
    ) -> embedder_pb2.EmbedImageResponse:
        await asyncio.sleep(self.delay_s)
        return self._embed(request.image, request.boxes)

    async def EmbedImages(
        self, request_iterator: AsyncIterator[embedder_pb2.EmbedImagesRequest], context: Any
    ) -> AsyncIterator[embedder_pb2.EmbedImagesResponse]:
        async for request in request_iterator:
            await asyncio.sleep(self.delay_s)
            response = embedder_pb2.EmbedImagesResponse(item_id=request.item_id)
            try:
                response.embedded.CopyFrom(self._embed(request.image, request.boxes))
            except InvalidInput as refused:
                error = embedder_pb2.ItemError(
                    reason=refused.reason, field=refused.field, message=refused.message
                )
                response.error.CopyFrom(error)
            yield response

    def _embed(self, data: bytes, boxes: Sequence[geometry_pb2.Box]) -> embedder_pb2.EmbedImageResponse:
        try:
            image = decode_image(data)
        except ImageRefused as refused:
            raise InvalidInput("image", refused.reason, refused.message) from refused
        response = embedder_pb2.EmbedImageResponse(
            model_digest=self.digest, image_width_px=image.width, image_height_px=image.height
        )
        response.timing.decode_ms, response.timing.forward_ms = 1.0, 2.0
        whole = geometry_pb2.Box(x_max=image.width, y_max=image.height)
        for number, asked in enumerate(boxes or [whole]):
            try:
                box = Box(asked.x_min, asked.y_min, asked.x_max, asked.y_max).clipped(*image.size)
            except BoxRefused as refused:
                raise InvalidInput(f"boxes[{number}]", refused.reason, refused.message) from refused
            crop = image.crop((int(box.x_min), int(box.y_min), int(box.x_max), int(box.y_max)))
            cells = np.asarray(crop.resize((2, 2)), dtype=np.float64).reshape(-1)  # (12,)
            vector = cells / 255 - 0.5 + 1e-3
            vector /= np.linalg.norm(vector)
            luminance = np.asarray(crop.convert("L"), dtype=np.float64)
            embedding = response.embeddings.add(values=vector.tolist(), contrast=luminance.std() / 255)
            embedding.box.CopyFrom(
                geometry_pb2.Box(x_min=box.x_min, y_min=box.y_min, x_max=box.x_max, y_max=box.y_max)
            )
            self.embedded_crops += 1
        return response


@asynccontextmanager
async def fake_embedder(servicer: FakeEmbedder, port: int = 0) -> AsyncIterator[GrpcServer]:
    """The fake behind a real gRPC server."""
    config = ServerConfig(port=port, drain_s=0)
    async with GrpcServer(config, "embedder", ["insitu.embedder.v1.EmbedderService"]) as server:
        embedder_pb2_grpc.add_EmbedderServiceServicer_to_server(servicer, server.grpc)
        await server.start()
        server.set_ready(True)
        yield server


def address(server: GrpcServer) -> str:
    """host:port of a started server."""
    return f"127.0.0.1:{server.port}"
