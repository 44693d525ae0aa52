"""Importing products: one stream's preparation and commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from insitu.search.v1 import catalog_pb2
from services.runtime.errors import InvalidInput, NotReady
from services.search import records
from services.search.embedder_gateway import BulkStream
from services.search.entities import Image, Product
from services.search.image_intake import Arrival, ImageIntake
from services.search.index.port import IdIn, Index, Kind, ModelSpec, Point, Where
from services.search.validation import checked_product

MAX_IMAGES = 16
_STORED = catalog_pb2.IMPORT_STATUS_STORED
_UNCHANGED = catalog_pb2.IMPORT_STATUS_UNCHANGED
_NEEDS_DATA = catalog_pb2.IMPORT_STATUS_NEEDS_DATA
_REFUSED = catalog_pb2.IMPORT_STATUS_REFUSED


@dataclass(frozen=True)
class ProductItem:
    """A product ready to be written: its points, the main one last, and what it leaves behind."""

    product_id: str
    points: tuple[Point, ...]
    stale_points: tuple[str, ...]
    stale_images: frozenset[str]
    held_images: tuple[str, ...]


class ProductImport:
    """What an ImportProducts stream does with each product."""

    def __init__(self, index: Index, intake: ImageIntake, bulk: BulkStream, model: ModelSpec) -> None:
        self._index = index
        self._intake = intake
        self._bulk = bulk
        self._model = model

    async def prepare(
        self, request: catalog_pb2.ImportProductsRequest
    ) -> ProductItem | catalog_pb2.ImportProductsResponse:
        """The item to write, or the answer when there is nothing to write."""
        product_id = request.product.product_id
        try:
            product = checked_product(request.product)
            if not 1 <= len(request.images) <= MAX_IMAGES:
                raise InvalidInput(
                    "images",
                    "BAD_IMAGE_COUNT",
                    f"A product has 1 to {MAX_IMAGES} images, not {len(request.images)}.",
                )
            arrivals = await self._intake.arrived(request.images, "images[{}]")
            held = tuple(arrival.image_id for arrival in arrivals)
            item = None
            try:
                item = await self._prepared(product, arrivals)
                return item
            finally:
                if not isinstance(item, ProductItem):  # else until it is written
                    self._intake.release(held)
        except InvalidInput as refused:
            return catalog_pb2.ImportProductsResponse(
                product_id=product_id[:256], status=_REFUSED, error=import_error(refused)
            )

    async def commit(self, items: Sequence[ProductItem]) -> None:
        """Writes products; returns when they are durable."""
        try:
            await self._write(items)
        finally:
            for item in items:
                self.discard(item)
        await self._intake.remove_orphans({image for item in items for image in item.stale_images})

    def discard(self, item: ProductItem) -> None:
        """Gives back what an item holds."""
        self._intake.release(item.held_images)

    async def _write(self, items: Sequence[ProductItem]) -> None:
        digest = self._model.digest
        points = [point for item in items for point in item.points]
        for start in range(0, len(points), 256):
            await self._index.upsert(digest, Kind.PRODUCTS, points[start : start + 256])
        stale = tuple(point_id for item in items for point_id in item.stale_points)
        if stale:
            await self._index.delete(digest, Kind.PRODUCTS, Where((IdIn(stale),)))
        await self._index.flush(digest, Kind.PRODUCTS)
        await activate_first(self._index, digest)

    def answer(self, item: ProductItem) -> catalog_pb2.ImportProductsResponse:
        """The answer for a product that was written."""
        return catalog_pb2.ImportProductsResponse(product_id=item.product_id, status=_STORED)

    async def _prepared(
        self, product: Product, arrivals: Sequence[Arrival]
    ) -> ProductItem | catalog_pb2.ImportProductsResponse:
        image_ids = [arrival.image_id for arrival in arrivals]
        if len(set(image_ids)) < len(image_ids):
            raise InvalidInput("images", "DUPLICATE_IMAGE", "The product has the same image twice.")
        digest = records.product_digest(product, image_ids)
        before = await self._stored(product.product_id)
        main = before.get(records.product_point_id(product.product_id))
        missing = [arrival.image_id for arrival in arrivals if arrival.missing]
        if missing:
            await self._intake.keep_judged_alone(arrivals)
            return catalog_pb2.ImportProductsResponse(
                product_id=product.product_id, status=_NEEDS_DATA, missing_image_ids=missing
            )
        if main is not None and main.payload["digest"] == digest:
            await self._intake.keep_judged_alone(arrivals)  # heals a store that lost a file
            return catalog_pb2.ImportProductsResponse(product_id=product.product_id, status=_UNCHANGED)
        known = {str(point.payload["image_id"]): point for point in before.values()}
        pictures = await asyncio.gather(*(self._picture(arrival, known) for arrival in arrivals))
        whole = replace(product, images=tuple(image for image, _ in pictures))
        now = int(time.time())
        points = [
            Point(
                records.product_point_id(product.product_id, ordinal),
                records.product_payload(whole, ordinal, digest, now),
                vector,
            )
            for ordinal, (_, vector) in enumerate(pictures)
        ]
        written = {point.id for point in points}
        return ProductItem(
            product_id=product.product_id,
            points=tuple(reversed(points)),
            stale_points=tuple(point_id for point_id in before if point_id not in written),
            stale_images=frozenset(known) - set(image_ids),
            held_images=tuple(image_ids),
        )

    async def _stored(self, product_id: str) -> dict[str, Point]:
        main_id = records.product_point_id(product_id)
        stored = await self._index.retrieve(self._model.digest, Kind.PRODUCTS, [main_id], with_vectors=True)
        if main_id not in stored:
            return stored
        count = len(records.product_of(stored[main_id].payload).images)
        others = [records.product_point_id(product_id, ordinal) for ordinal in range(1, count)]
        return stored | await self._index.retrieve(
            self._model.digest, Kind.PRODUCTS, others, with_vectors=True
        )

    async def _picture(self, arrival: Arrival, known: dict[str, Point]) -> tuple[Image, tuple[float, ...]]:
        """The image's size and vector: from before when it was there, else from the embedder."""
        point = known.get(arrival.image_id)
        if point is not None and point.vector is not None:
            await self._intake.keep_judged_alone([arrival])
            images = records.product_of(point.payload).images
            return next(image for image in images if image.image_id == arrival.image_id), tuple(point.vector)
        data = await self._intake.bytes_of(arrival)
        image = await self._intake.described(arrival, data)
        answer = await self._bulk.embed(data, ())
        if answer.refusal is not None:
            raise InvalidInput(arrival.field, answer.refusal.reason, answer.refusal.message)
        require_same_model(answer.model_digest, self._model)
        await self._intake.keep(arrival)
        return image, answer.vectors[0]


async def activate_first(index: Index, digest: str) -> None:
    """The first item of an empty catalogue makes its model serve, so that imports can be searched at once."""
    if await index.active() is None:
        await index.activate(digest)


def require_same_model(digest: str, model: ModelSpec) -> None:
    """Raises NotReady when the embedder changed its model in mid-import."""
    if digest != model.digest:
        raise NotReady(
            "MODEL_CHANGED", "The embedder changed its model during the import: run the import again."
        )


def import_error(refused: InvalidInput) -> catalog_pb2.ImportError:
    """A refusal as part of an answer."""
    return catalog_pb2.ImportError(reason=refused.reason, field=refused.field, message=refused.message)
