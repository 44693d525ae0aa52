"""Reading the catalogue and removing from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.runtime.errors import NotFound
from services.search import records
from services.search.entities import Product, Scene
from services.search.image_intake import ImageIntake
from services.search.index.port import AnyOf, IdIn, Index, Kind, ModelSpec, Point, Where

_MAIN = Where((AnyOf("ordinal", (0,)),))
_MAX_REGIONS = 1_000
_BATCH = 256


@dataclass(frozen=True)
class Facts:
    """What GetCatalogFacts says; `model` is None and counts are 0 for an empty catalogue."""

    model: ModelSpec | None
    products: int = 0
    product_images: int = 0
    scenes: int = 0
    regions: int = 0
    categories: tuple[tuple[str, int], ...] = ()
    attribute_names: tuple[str, ...] = ()
    indexed_at_s: int | None = None


class CatalogReader:
    """The catalogue of the serving model; removals reach every model."""

    def __init__(self, index: Index, intake: ImageIntake) -> None:
        self._index = index
        self._intake = intake

    async def product(self, product_id: str) -> Product:
        """One product. Raises NotFound."""
        model = await self._index.active()
        point_id = records.product_point_id(product_id)
        found = await self._index.retrieve(model.digest, Kind.PRODUCTS, [point_id]) if model else {}
        if point_id not in found:
            raise NotFound("product_id", "UNKNOWN_PRODUCT", "No product of the catalogue has this id.")
        return records.product_of(found[point_id].payload)

    async def products(
        self, where: Where, limit: int, cursor: str | None
    ) -> tuple[list[Product], str | None]:
        """A page of products in a stable order, and the cursor of the next."""
        model = await self._index.active()
        if model is None:
            return [], None
        points, following = await self._index.scroll(
            model.digest, Kind.PRODUCTS, where=where & _MAIN, limit=limit, cursor=cursor
        )
        return [records.product_of(point.payload) for point in points], following

    async def scene(self, scene_id: str) -> Scene:
        """One scene with its regions, from top to bottom. Raises NotFound."""
        model = await self._index.active()
        point_id = records.scene_point_id(scene_id)
        found = await self._index.retrieve(model.digest, Kind.SCENES, [point_id]) if model else {}
        if model is None or point_id not in found:
            raise NotFound("scene_id", "UNKNOWN_SCENE", "No scene of the catalogue has this id.")
        points, _ = await self._index.scroll(
            model.digest, Kind.REGIONS, where=Where((AnyOf("scene_id", (scene_id,)),)), limit=_MAX_REGIONS
        )
        regions = [records.region_of(point.id, point.payload) for point in points]
        regions.sort(key=lambda region: (region.box.y_min, region.box.x_min, region.region_id))
        return records.scene_of(found[point_id].payload, regions)

    async def scenes(self, limit: int, cursor: str | None) -> tuple[list[Scene], str | None]:
        """A page of scenes in a stable order, without regions, and the cursor of the next."""
        model = await self._index.active()
        if model is None:
            return [], None
        points, following = await self._index.scroll(model.digest, Kind.SCENES, limit=limit, cursor=cursor)
        return [records.scene_of(point.payload) for point in points], following

    async def facts(self) -> Facts:
        """Counts, categories, attributes, time of the last import that stored something."""
        model = await self._index.active()
        if model is None:
            return Facts(None)
        digest = model.digest
        newest = [
            await self._index.newest(digest, kind, "stored_at") for kind in (Kind.PRODUCTS, Kind.SCENES)
        ]
        names = await self._index.facet(digest, Kind.PRODUCTS, "attribute_names", where=_MAIN)
        return Facts(
            model=model,
            products=await self._index.count(digest, Kind.PRODUCTS, _MAIN),
            product_images=await self._index.count(digest, Kind.PRODUCTS),
            scenes=await self._index.count(digest, Kind.SCENES),
            regions=await self._index.count(digest, Kind.REGIONS),
            categories=tuple(await self._index.facet(digest, Kind.PRODUCTS, "category", where=_MAIN)),
            attribute_names=tuple(sorted(name for name, _ in names)),
            indexed_at_s=max((time_s for time_s in newest if time_s is not None), default=None),
        )

    async def delete_products(self, product_ids: Sequence[str]) -> int:
        """Removes products from every model; returns how many the serving model had."""
        wanted = tuple(dict.fromkeys(product_ids))
        main_ids = [records.product_point_id(product_id) for product_id in wanted]
        active = await self._index.active()
        deleted, images = 0, set[str]()
        for model in await self._index.models():
            stored = await self._index.retrieve(model.digest, Kind.PRODUCTS, main_ids)
            if active is not None and model.digest == active.digest:
                deleted = len(stored)
            for point in stored.values():
                images |= {image.image_id for image in records.product_of(point.payload).images}
            named = Where((AnyOf("product_id", wanted),))
            await self._index.delete(model.digest, Kind.PRODUCTS, named)
            await self._unname(model.digest, named)
            await self._index.flush(model.digest, *Kind)
        await self._intake.remove_orphans(images)
        return deleted

    async def delete_scenes(self, scene_ids: Sequence[str]) -> int:
        """Removes scenes with their regions from every model; returns how many the serving model had."""
        wanted = tuple(dict.fromkeys(scene_ids))
        point_ids = tuple(records.scene_point_id(scene_id) for scene_id in wanted)
        active = await self._index.active()
        deleted, images = 0, set[str]()
        for model in await self._index.models():
            stored = await self._index.retrieve(model.digest, Kind.SCENES, point_ids)
            if active is not None and model.digest == active.digest:
                deleted = len(stored)
            images |= {str(point.payload["image_id"]) for point in stored.values()}
            await self._index.delete(model.digest, Kind.SCENES, Where((IdIn(point_ids),)))
            await self._index.delete(model.digest, Kind.REGIONS, Where((AnyOf("scene_id", wanted),)))
            await self._index.flush(model.digest, Kind.SCENES, Kind.REGIONS)
        await self._intake.remove_orphans(images)
        return deleted

    async def _unname(self, digest: str, named: Where) -> None:
        """Makes regions of removed products look-alikes, and their scenes worth importing again."""
        scene_ids: set[str] = set()
        while True:
            regions, _ = await self._index.scroll(
                digest, Kind.REGIONS, where=named, limit=_BATCH, with_vectors=True
            )
            if not regions:
                break
            scene_ids |= {str(region.payload["scene_id"]) for region in regions}
            anonymous = [
                Point(region.id, {**region.payload, "product_id": "", "category": ""}, region.vector)
                for region in regions
            ]
            await self._index.upsert(digest, Kind.REGIONS, anonymous)
        point_ids = [records.scene_point_id(scene_id) for scene_id in sorted(scene_ids)]
        for start in range(0, len(point_ids), _BATCH):
            scenes = await self._index.retrieve(
                digest, Kind.SCENES, point_ids[start : start + _BATCH], with_vectors=True
            )
            outdated = [
                Point(scene.id, {**scene.payload, "digest": ""}, scene.vector) for scene in scenes.values()
            ]
            await self._index.upsert(digest, Kind.SCENES, outdated)
