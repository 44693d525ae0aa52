"""From the query of a request to the vectors to search with."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from insitu.search.v1 import search_pb2
from services.imaging import Box, BoxRefused, ImageRefused, read_header
from services.runtime.errors import InvalidInput, NotFound, NotReady
from services.search import records, wire
from services.search.deadlines import Deadline
from services.search.embedder_gateway import EmbedderGateway, QueryEmbedding
from services.search.index.port import Index, Kind, ModelSpec

SearchRequest = search_pb2.SearchProductsRequest | search_pb2.SearchScenesRequest

# Standard deviation of luminance, over 255. Of 2,224 boxes drawn round real products none measures less (the
# least is .0266), of the flattest 128 px windows of their 219 rooms, walls mostly, 54 % do.
LOW_CONTRAST = 0.025


@dataclass(frozen=True)
class ResolvedQuery:
    """What to search with, and what the answer says about it."""

    vectors: tuple[tuple[float, ...], ...]
    product_id: str = ""
    """The product asked for, or ""."""
    scene_id: str = ""
    """The scene of the region asked for, or ""."""
    photo: QueryEmbedding | None = None
    low_confidence: bool = field(default=False)


class QueryResolver:
    """Turns a photo, a product, a region or an embedding into vectors of the serving model."""

    def __init__(self, index: Index, embedder: EmbedderGateway) -> None:
        self._index = index
        self._embedder = embedder

    async def serving_model(self) -> ModelSpec:
        """The model that serves.

        Raises:
            NotReady: nothing was imported yet.
        """
        model = await self._index.active()
        if model is None:
            raise NotReady(
                "NOTHING_IMPORTED", "The catalogue is empty: import one with `insitu index FOLDER`."
            )
        return model

    async def resolve(self, request: SearchRequest, deadline: Deadline) -> tuple[ModelSpec, ResolvedQuery]:
        """The serving model and the query in its space.

        Raises:
            InvalidInput, NotFound: the query is wrong, or names nothing.
            NotReady: nothing imported, or the embedder runs another model than the index.
            Busy, Unavailable: the embedder or the index.
        """
        match request.WhichOneof("query"):
            case "image":
                return await self._photo(request.image, deadline)
            case "product_id":
                return await self._product(request.product_id, deadline)
            case "region_id":
                return await self._region(request.region_id, deadline)
            case "embedding":
                return await self._embedding(request.embedding, deadline)
            case _:
                raise InvalidInput(
                    "query",
                    "MISSING_QUERY",
                    "Say what to look for: image, product_id, region_id or embedding.",
                )

    async def _photo(
        self, query: search_pb2.ImageQuery, deadline: Deadline
    ) -> tuple[ModelSpec, ResolvedQuery]:
        box = wire.box_from_proto(query.box) if query.HasField("box") else None
        # Off the loop: a hostile header may take milliseconds.
        await asyncio.get_running_loop().run_in_executor(None, _check_photo, query.image, box)
        async with deadline.bounds_index():
            model = await self.serving_model()
        found = await self._embedder.embed(query.image, box, deadline.left_s())
        if found.model_digest != model.digest:
            raise NotReady(
                "MODEL_MISMATCH",
                f"The embedder runs model {found.model_digest[:19]}, the index was made with "
                f"{model.digest[:19]}: import the catalogue again with `insitu index FOLDER` and switch, or "
                "start the embedder with the other model. Queries by product still work.",
            )
        return model, ResolvedQuery(
            (found.vector,), photo=found, low_confidence=found.contrast < LOW_CONTRAST
        )

    async def _product(self, product_id: str, deadline: Deadline) -> tuple[ModelSpec, ResolvedQuery]:
        async with deadline.bounds_index():
            model = await self.serving_model()
            main = records.product_point_id(product_id)
            stored = await self._index.retrieve(model.digest, Kind.PRODUCTS, [main], with_vectors=True)
            if main not in stored:
                raise NotFound("product_id", "UNKNOWN_PRODUCT", "No product of the catalogue has this id.")
            count = len(records.product_of(stored[main].payload).images)
            others = [records.product_point_id(product_id, ordinal) for ordinal in range(1, count)]
            stored |= await self._index.retrieve(model.digest, Kind.PRODUCTS, others, with_vectors=True)
        vectors = tuple(tuple(point.vector) for point in stored.values() if point.vector is not None)
        return model, ResolvedQuery(vectors, product_id=product_id)

    async def _region(self, region_id: str, deadline: Deadline) -> tuple[ModelSpec, ResolvedQuery]:
        async with deadline.bounds_index():
            model = await self.serving_model()
            unknown = NotFound("region_id", "UNKNOWN_REGION", "No region of the catalogue has this id.")
            if not records.is_point_id(region_id):
                raise unknown
            stored = await self._index.retrieve(model.digest, Kind.REGIONS, [region_id], with_vectors=True)
        point = stored.get(region_id)
        if point is None or point.vector is None:
            raise unknown
        return model, ResolvedQuery((tuple(point.vector),), scene_id=str(point.payload["scene_id"]))

    async def _embedding(
        self, query: search_pb2.EmbeddingQuery, deadline: Deadline
    ) -> tuple[ModelSpec, ResolvedQuery]:
        values = tuple(query.values)
        if not all(map(math.isfinite, values)):
            raise InvalidInput("embedding.values", "BAD_EMBEDDING", "The embedding's values must be finite.")
        # The length is what the metric divides by: it must neither vanish nor overflow in float32.
        if not 1e-18 < math.hypot(*values) < 1e18:
            raise InvalidInput(
                "embedding.values", "BAD_EMBEDDING", "The embedding must not be all zero, nor huge."
            )
        async with deadline.bounds_index():
            model = await self.serving_model()
        if len(values) != model.dimension:
            raise InvalidInput(
                "embedding.values",
                "BAD_DIMENSION",
                f"The serving model's embeddings have {model.dimension} values, not {len(values)}.",
            )
        if query.model_digest and query.model_digest != model.digest:
            raise InvalidInput(
                "embedding.model_digest",
                "MODEL_MISMATCH",
                f"The embedding was made by another model than the serving one, {model.digest}.",
            )
        return model, ResolvedQuery((values,))


def _check_photo(image: bytes, box: Box | None) -> None:
    """Refuse what the embedder would refuse anyway, before anything is sent to it."""
    try:
        header = read_header(image)
    except ImageRefused as refused:
        raise InvalidInput("image.image", refused.reason, refused.message) from refused
    if box is not None:
        try:
            box.clipped(header.width_px, header.height_px)
        except BoxRefused as refused:
            raise InvalidInput("image.box", refused.reason, refused.message) from refused
