"""CatalogService: imports, reading, removing, facts and images over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from insitu.search.v1 import catalog_pb2, catalog_pb2_grpc
from services.runtime.errors import InvalidInput, NotFound, NotReady
from services.search import filters, metrics, wire
from services.search.catalog_reader import CatalogReader
from services.search.deadlines import Deadline
from services.search.embedder_gateway import EmbedderGateway
from services.search.image_intake import ImageIntake
from services.search.image_work import MAX_SIDE_PX, ImageWork
from services.search.import_pipeline import ImportPipeline
from services.search.index.port import Index, Kind, ModelSpec
from services.search.media import Media, is_image_id
from services.search.page_tokens import page_position, page_size, page_token, wrong_token
from services.search.product_import import ProductImport, ProductItem
from services.search.records import is_point_id
from services.search.scene_import import SceneImport, SceneItem
from services.search.validation import checked_id

DEFAULT_PAGE = 50
MAX_PAGE = 200
MAX_DELETES = 1_000
MIN_SIDE_PX = 16
_STATUS_NAMES = {
    catalog_pb2.IMPORT_STATUS_STORED: "stored",
    catalog_pb2.IMPORT_STATUS_UNCHANGED: "unchanged",
    catalog_pb2.IMPORT_STATUS_NEEDS_DATA: "needs_data",
    catalog_pb2.IMPORT_STATUS_REFUSED: "refused",
}


@dataclass(frozen=True)
class ImportBounds:
    """How much of an import stream is at work at once."""

    window: int = 128
    window_bytes: int = 64 * 1024 * 1024
    batch: int = 64
    embed_timeout_s: float = 120.0


class CatalogServicer(catalog_pb2_grpc.CatalogServiceServicer):
    """Checks requests and hands them to what does the work."""

    def __init__(
        self,
        *,
        index: Index,
        media: Media,
        work: ImageWork,
        embedder: EmbedderGateway,
        bounds: ImportBounds | None = None,
    ) -> None:
        self._index = index
        self._media = media
        self._work = work
        self._embedder = embedder
        self._bounds = bounds or ImportBounds()
        self._intake = ImageIntake(media, work, index)
        self._reader = CatalogReader(index, self._intake)

    # --- Imports ---------------------------------------------------------------

    async def ImportProducts(  # noqa: N802  gRPC's name
        self, request_iterator: AsyncIterator[catalog_pb2.ImportProductsRequest], _context: Any
    ) -> AsyncIterator[catalog_pb2.ImportProductsResponse]:
        """See the proto."""
        model = await self._import_model()
        async with self._embedder.bulk(self._bounds.embed_timeout_s) as bulk:
            work = ProductImport(self._index, self._intake, bulk, model)
            pipeline = ImportPipeline(
                item_type=ProductItem,
                prepare=work.prepare,
                commit=work.commit,
                answer=work.answer,
                discard=work.discard,
                item_id=lambda request: request.product.product_id,
                window=self._bounds.window,
                window_bytes=self._bounds.window_bytes,
                batch=self._bounds.batch,
            )
            async for response in pipeline.run(request_iterator):
                metrics.IMPORTED.labels("product", _STATUS_NAMES[response.status]).inc()
                yield response

    async def ImportScenes(  # noqa: N802
        self, request_iterator: AsyncIterator[catalog_pb2.ImportScenesRequest], _context: Any
    ) -> AsyncIterator[catalog_pb2.ImportScenesResponse]:
        """See the proto."""
        model = await self._import_model()
        async with self._embedder.bulk(self._bounds.embed_timeout_s) as bulk:
            work = SceneImport(self._index, self._intake, bulk, model)
            pipeline = ImportPipeline(
                item_type=SceneItem,
                prepare=work.prepare,
                commit=work.commit,
                answer=work.answer,
                discard=work.discard,
                item_id=lambda request: request.scene_id,
                window=self._bounds.window,
                window_bytes=self._bounds.window_bytes,
                batch=self._bounds.batch,
            )
            async for response in pipeline.run(request_iterator):
                metrics.IMPORTED.labels("scene", _STATUS_NAMES[response.status]).inc()
                yield response

    async def ActivateModel(  # noqa: N802
        self, request: catalog_pb2.ActivateModelRequest, context: Any
    ) -> catalog_pb2.ActivateModelResponse:
        """See the proto."""
        if not is_image_id(request.model_digest):
            raise InvalidInput(
                "model_digest", "BAD_DIGEST", 'A model digest is "sha256:" and 64 lower-case hex digits.'
            )
        async with Deadline(context.time_remaining()).bounds_index():
            if request.model_digest not in {model.digest for model in await self._index.models()}:
                raise NotReady(
                    "MODEL_NOT_INDEXED",
                    "Nothing was imported under that model: start the embedder with it and run "
                    "`insitu index FOLDER`.",
                )
            previous = await self._index.active()
            await self._index.activate(request.model_digest)
        return catalog_pb2.ActivateModelResponse(previous_model_digest=previous.digest if previous else "")

    # --- Reading ---------------------------------------------------------------

    async def GetProduct(  # noqa: N802
        self, request: catalog_pb2.GetProductRequest, context: Any
    ) -> catalog_pb2.GetProductResponse:
        """See the proto."""
        async with Deadline(context.time_remaining()).bounds_index():
            product = await self._reader.product(request.product_id)
        return catalog_pb2.GetProductResponse(product=wire.product_to_proto(product))

    async def ListProducts(  # noqa: N802
        self, request: catalog_pb2.ListProductsRequest, context: Any
    ) -> catalog_pb2.ListProductsResponse:
        """See the proto."""
        where = filters.categories_where(request.categories, "categories")
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        cursor = _cursor(request)
        async with Deadline(context.time_remaining()).bounds_index():
            products, following = await self._reader.products(where, size, cursor)
        return catalog_pb2.ListProductsResponse(
            products=map(wire.product_to_proto, products),
            next_page_token=page_token(request, following) if following else "",
        )

    async def GetScene(  # noqa: N802
        self, request: catalog_pb2.GetSceneRequest, context: Any
    ) -> catalog_pb2.GetSceneResponse:
        """See the proto."""
        async with Deadline(context.time_remaining()).bounds_index():
            scene = await self._reader.scene(request.scene_id)
        return catalog_pb2.GetSceneResponse(scene=wire.scene_to_proto(scene))

    async def ListScenes(  # noqa: N802
        self, request: catalog_pb2.ListScenesRequest, context: Any
    ) -> catalog_pb2.ListScenesResponse:
        """See the proto."""
        size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
        cursor = _cursor(request)
        async with Deadline(context.time_remaining()).bounds_index():
            scenes, following = await self._reader.scenes(size, cursor)
        return catalog_pb2.ListScenesResponse(
            scenes=map(wire.scene_to_proto, scenes),
            next_page_token=page_token(request, following) if following else "",
        )

    async def GetCatalogFacts(  # noqa: N802
        self, _request: catalog_pb2.GetCatalogFactsRequest, context: Any
    ) -> catalog_pb2.GetCatalogFactsResponse:
        """See the proto."""
        async with Deadline(context.time_remaining()).bounds_index():
            facts = await self._reader.facts()
        response = catalog_pb2.GetCatalogFactsResponse(
            product_count=facts.products,
            product_image_count=facts.product_images,
            scene_count=facts.scenes,
            region_count=facts.regions,
            categories=[
                catalog_pb2.CategoryCount(category=name, product_count=count)
                for name, count in facts.categories
            ],
            attribute_names=facts.attribute_names,
            model_digest=facts.model.digest if facts.model else "",
            embedder_model_digest=self._embedder.last_model_digest,
            dimension=facts.model.dimension if facts.model else 0,
            engine=self._index.engine,
        )
        if facts.indexed_at_s is not None:
            response.indexed_at.FromSeconds(facts.indexed_at_s)
        return response

    async def GetImage(  # noqa: N802
        self, request: catalog_pb2.GetImageRequest, context: Any
    ) -> catalog_pb2.GetImageResponse:
        """See the proto."""
        side = request.max_side_px
        if side < 0 or 0 < side < MIN_SIDE_PX:
            raise InvalidInput(
                "max_side_px", "BAD_SIDE", f"max_side_px must be 0, or {MIN_SIDE_PX} to {MAX_SIDE_PX}."
            )
        side = min(side, MAX_SIDE_PX)
        unknown = NotFound("image_id", "UNKNOWN_IMAGE", "No image of the catalogue has this id.")
        if not is_image_id(request.image_id):
            raise unknown
        copy = self._work.cached(request.image_id, side)
        if copy is None:
            async with Deadline(context.time_remaining()).bounds_media():
                data = await self._media.get(request.image_id)
                if data is None:
                    raise unknown
                copy = await self._work.scaled(request.image_id, data, side)
        return catalog_pb2.GetImageResponse(
            data=copy.data, media_type="image/jpeg", width_px=copy.width_px, height_px=copy.height_px
        )

    # --- Removing --------------------------------------------------------------

    async def DeleteProducts(  # noqa: N802
        self, request: catalog_pb2.DeleteProductsRequest, _context: Any
    ) -> catalog_pb2.DeleteProductsResponse:
        """See the proto."""
        deleted = await self._removed("product_ids", request.product_ids, self._reader.delete_products)
        return catalog_pb2.DeleteProductsResponse(deleted_count=deleted)

    async def DeleteScenes(  # noqa: N802
        self, request: catalog_pb2.DeleteScenesRequest, _context: Any
    ) -> catalog_pb2.DeleteScenesResponse:
        """See the proto."""
        deleted = await self._removed("scene_ids", request.scene_ids, self._reader.delete_scenes)
        return catalog_pb2.DeleteScenesResponse(deleted_count=deleted)

    async def _removed(
        self, field: str, ids: Sequence[str], remove: Callable[[Sequence[str]], Awaitable[int]]
    ) -> int:
        if not 1 <= len(ids) <= MAX_DELETES:
            raise InvalidInput(field, "BAD_COUNT", f"Give 1 to {MAX_DELETES} ids.")
        for number, item_id in enumerate(ids):
            checked_id(f"{field}[{number}]", item_id)
        return await remove(ids)

    async def _import_model(self) -> ModelSpec:
        """The embedder's model, its collections ready. Raises Unavailable, NotReady."""
        model = await self._embedder.model()
        await self._index.ensure(model)
        if await self._index.active() is None:
            # A kill may have come between the first item and its activation.
            kinds = (Kind.PRODUCTS, Kind.SCENES)
            if any([await self._index.count(model.digest, kind) for kind in kinds]):
                await self._index.activate(model.digest)
        return model


def _cursor(request: catalog_pb2.ListProductsRequest | catalog_pb2.ListScenesRequest) -> str | None:
    position = page_position(request)
    if position and not is_point_id(position):
        raise wrong_token()
    return position or None
