"""Importing scenes with their regions: one stream's preparation and commits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from insitu.search.v1 import catalog_pb2
from services.imaging import Box, BoxRefused
from services.runtime.errors import InvalidInput
from services.search import records, wire
from services.search.embedder_gateway import BulkStream
from services.search.entities import Image, Region, Scene
from services.search.image_intake import Arrival, ImageIntake
from services.search.index.port import AnyOf, IdIn, Index, Kind, ModelSpec, Point, Where
from services.search.product_import import activate_first, import_error, require_same_model
from services.search.proposals import propose_boxes
from services.search.validation import checked_attributes, checked_id

MAX_REGIONS = 200
# What the embedder takes for one image.
_BOXES_PER_CALL = 64
_Vectors = dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class SceneItem:
    """A scene ready to be written."""

    scene: Point
    scene_id: str
    regions: tuple[Point, ...]
    region_errors: tuple[catalog_pb2.ImportError, ...]
    stale_images: frozenset[str]


class SceneImport:
    """What an ImportScenes stream does with each scene."""

    def __init__(self, index: Index, intake: ImageIntake, bulk: BulkStream, model: ModelSpec) -> None:
        self._index = index
        self._intake = intake
        self._bulk = bulk
        self._model = model

    async def prepare(
        self, request: catalog_pb2.ImportScenesRequest
    ) -> SceneItem | catalog_pb2.ImportScenesResponse:
        """The item to write, or the answer when there is nothing to write."""
        try:
            checked_id("scene_id", request.scene_id)
            attributes = checked_attributes("attributes", request.attributes)
            if len(request.regions) > MAX_REGIONS:
                raise InvalidInput(
                    "regions", "TOO_MANY_REGIONS", f"A scene has at most {MAX_REGIONS} regions."
                )
            (arrival,) = await self._intake.arrived([request.image], "image")
            held = (arrival.image_id,)
            item = None
            try:
                item = await self._prepared(request, attributes, arrival)
                return item
            finally:
                if not isinstance(item, SceneItem):  # else until it is written
                    self._intake.release(held)
        except InvalidInput as refused:
            return catalog_pb2.ImportScenesResponse(
                scene_id=request.scene_id[:256],
                status=catalog_pb2.IMPORT_STATUS_REFUSED,
                error=import_error(refused),
            )

    async def commit(self, items: Sequence[SceneItem]) -> None:
        """Writes scenes after their regions; returns when they are durable."""
        try:
            await self._write(items)
        finally:
            for item in items:
                self.discard(item)
        await self._intake.remove_orphans({image for item in items for image in item.stale_images})

    def discard(self, item: SceneItem) -> None:
        """Gives back what an item holds."""
        self._intake.release((str(item.scene.payload["image_id"]),))

    async def _write(self, items: Sequence[SceneItem]) -> None:
        digest = self._model.digest
        regions = [point for item in items for point in item.regions]
        for start in range(0, len(regions), 256):
            await self._index.upsert(digest, Kind.REGIONS, regions[start : start + 256])
        for item in items:
            own = Where((AnyOf("scene_id", (item.scene_id,)),))
            kept = tuple(point.id for point in item.regions)
            await self._index.delete(digest, Kind.REGIONS, own & Where((), (IdIn(kept),) if kept else ()))
        await self._index.upsert(digest, Kind.SCENES, [item.scene for item in items])
        await self._index.flush(digest, Kind.REGIONS, Kind.SCENES)
        await activate_first(self._index, digest)

    def answer(self, item: SceneItem) -> catalog_pb2.ImportScenesResponse:
        """The answer for a scene that was written."""
        return catalog_pb2.ImportScenesResponse(
            scene_id=item.scene_id,
            status=catalog_pb2.IMPORT_STATUS_STORED,
            region_errors=item.region_errors,
            region_count=len(item.regions),
        )

    async def _prepared(
        self, request: catalog_pb2.ImportScenesRequest, attributes: dict[str, str], arrival: Arrival
    ) -> SceneItem | catalog_pb2.ImportScenesResponse:
        if arrival.missing:
            return catalog_pb2.ImportScenesResponse(
                scene_id=request.scene_id,
                status=catalog_pb2.IMPORT_STATUS_NEEDS_DATA,
                missing_image_ids=[arrival.image_id],
            )
        point_id = records.scene_point_id(request.scene_id)
        stored = await self._index.retrieve(self._model.digest, Kind.SCENES, [point_id], with_vectors=True)
        before = stored.get(point_id)
        same_image = before is not None and before.payload["image_id"] == arrival.image_id
        if before is not None and same_image:
            image = records.scene_of(before.payload).image
        else:
            image = await self._intake.described(arrival, await self._intake.bytes_of(arrival))
        regions, errors = await self._regions(request, image)
        digest = records.scene_digest(request.scene_id, image.image_id, attributes, regions)
        if before is not None and before.payload["digest"] == digest:
            await self._intake.keep_judged_alone([arrival])
            return catalog_pb2.ImportScenesResponse(
                scene_id=request.scene_id,
                status=catalog_pb2.IMPORT_STATUS_UNCHANGED,
                region_errors=errors,
                region_count=len(regions),
            )
        known: _Vectors = {}
        if before is not None and same_image and before.vector is not None:
            known = {point_id: tuple(before.vector)} | await self._known_vectors(image.image_id, regions)
        vectors = await self._vectors(arrival, image, point_id, regions, known)
        scene = Scene(request.scene_id, image, attributes)
        return SceneItem(
            scene=Point(point_id, records.scene_payload(scene, digest, int(time.time())), vectors[point_id]),
            scene_id=request.scene_id,
            regions=tuple(
                Point(
                    region.region_id,
                    records.region_payload(region, image.image_id, attributes),
                    vectors[region.region_id],
                )
                for region in regions
            ),
            region_errors=tuple(errors),
            stale_images=frozenset()
            if before is None or same_image
            else frozenset({str(before.payload["image_id"])}),
        )

    async def _regions(
        self, request: catalog_pb2.ImportScenesRequest, image: Image
    ) -> tuple[list[Region], list[catalog_pb2.ImportError]]:
        """Regions that can be stored, and why the others cannot; proposed ones when none was sent."""
        if not request.regions:
            boxes = propose_boxes(image.width_px, image.height_px)
            return [_region(request.scene_id, box, proposed=True) for box in boxes], []
        categories = await self._categories({upload.product_id for upload in request.regions} - {""})
        regions: dict[str, Region] = {}
        errors = []
        for number, upload in enumerate(request.regions):
            field = f"regions[{number}]"
            try:
                region = _checked_region(request.scene_id, upload, image, categories, field)
                if regions.setdefault(region.region_id, region).product_id != region.product_id:
                    raise InvalidInput(
                        field, "DUPLICATE_BOX", "Another region with the same box names another product."
                    )
            except InvalidInput as refused:
                errors.append(import_error(refused))
        return list(regions.values()), errors

    async def _categories(self, product_ids: set[str]) -> dict[str, str]:
        """Categories of the products that are known."""
        points = await self._index.retrieve(
            self._model.digest,
            Kind.PRODUCTS,
            [records.product_point_id(each) for each in sorted(product_ids)],
        )
        return {str(p.payload["product_id"]): str(p.payload["category"]) for p in points.values()}

    async def _known_vectors(self, image_id: str, regions: Sequence[Region]) -> _Vectors:
        """Vectors of regions that were made from this very photo."""
        points = await self._index.retrieve(
            self._model.digest, Kind.REGIONS, [region.region_id for region in regions], with_vectors=True
        )
        return {
            point.id: tuple(point.vector)
            for point in points.values()
            if point.vector is not None and point.payload.get("image_id") == image_id
        }

    async def _vectors(
        self, arrival: Arrival, image: Image, point_id: str, regions: Sequence[Region], known: _Vectors
    ) -> _Vectors:
        """Vectors of the whole photo (under the scene's point id) and of all regions."""
        boxes = {point_id: Box(0.0, 0.0, float(image.width_px), float(image.height_px))}
        boxes |= {region.region_id: region.box for region in regions}
        wanted = [key for key in boxes if key not in known]
        if not wanted:
            await self._intake.keep_judged_alone([arrival])
            return known
        data = await self._intake.bytes_of(arrival)
        parts = [wanted[start : start + _BOXES_PER_CALL] for start in range(0, len(wanted), _BOXES_PER_CALL)]
        answers = await asyncio.gather(
            *(self._bulk.embed(data, [boxes[key] for key in part]) for part in parts)
        )
        vectors = dict(known)
        for part, answer in zip(parts, answers, strict=True):
            if answer.refusal is not None:
                raise InvalidInput(arrival.field, answer.refusal.reason, answer.refusal.message)
            require_same_model(answer.model_digest, self._model)
            vectors.update(zip(part, answer.vectors, strict=True))
        await self._intake.keep(arrival)
        return vectors


def _region(
    scene_id: str, box: Box, product_id: str = "", category: str = "", proposed: bool = False
) -> Region:
    return Region(records.region_id(scene_id, box), scene_id, box, product_id, category, proposed)


def _checked_region(
    scene_id: str,
    upload: catalog_pb2.RegionUpload,
    image: Image,
    categories: dict[str, str],
    field: str,
) -> Region:
    try:
        box = wire.box_from_proto(upload.box).clipped(image.width_px, image.height_px)
    except BoxRefused as refused:
        raise InvalidInput(f"{field}.box", refused.reason, refused.message) from refused
    if upload.product_id and upload.product_id not in categories:
        raise InvalidInput(
            f"{field}.product_id",
            "UNKNOWN_PRODUCT",
            "The region's product is not in the catalogue: import products first.",
        )
    return _region(scene_id, box, upload.product_id, categories.get(upload.product_id, ""))
