"""SearchService: both queries over gRPC."""

from __future__ import annotations

import time
from typing import Any

from insitu.search.v1 import search_pb2, search_pb2_grpc
from services.runtime.errors import InvalidInput
from services.search import filters, metrics, records, wire
from services.search.deadlines import Deadline
from services.search.index.port import AnyOf, Found, Index, Kind, ModelSpec, Where
from services.search.page_tokens import page_position, page_size, page_token, wrong_token
from services.search.query_resolver import QueryResolver, ResolvedQuery, SearchRequest
from services.search.searcher import Ranked, Searcher

DEFAULT_PAGE = 20
MAX_PAGE = 100
MAX_HITS = 1_000
DEFAULT_REGIONS = 5
MAX_REGIONS = 50


class SearchServicer(search_pb2_grpc.SearchServiceServicer):
    """Checks the request, resolves its query, ranks, and writes the answer."""

    def __init__(self, index: Index, resolver: QueryResolver, searcher: Searcher) -> None:
        self._index = index
        self._resolver = resolver
        self._searcher = searcher

    async def SearchProducts(  # noqa: N802  gRPC's name
        self, request: search_pb2.SearchProductsRequest, context: Any
    ) -> search_pb2.SearchProductsResponse:
        """Query 1: see the proto."""
        started = time.perf_counter()
        deadline = Deadline(context.time_remaining())
        where = filters.products_where(request.filter)
        min_score = filters.min_score_of(request)
        offset, size = _page(request)
        model, query = await self._resolver.resolve(request, deadline)
        if query.product_id:
            where &= Where((), (AnyOf("product_id", (query.product_id,)),))
        searching = time.perf_counter()
        async with deadline.bounds_index():
            ranked = await self._searcher.products(model, query.vectors, where, min_score, offset, size)
        response = search_pb2.SearchProductsResponse(
            hits=[_product_hit(group[0]) for group in ranked.groups],
            next_page_token=_next_page(request, ranked, offset + size),
        )
        _describe(response, model, query, started, searching)
        return response

    async def SearchScenes(  # noqa: N802
        self, request: search_pb2.SearchScenesRequest, context: Any
    ) -> search_pb2.SearchScenesResponse:
        """Query 2: see the proto."""
        started = time.perf_counter()
        deadline = Deadline(context.time_remaining())
        where = filters.regions_where(request.filter)
        min_score = filters.min_score_of(request)
        offset, size = _page(request)
        if request.max_regions_per_scene < 0:
            raise InvalidInput(
                "max_regions_per_scene", "BAD_COUNT", f"max_regions_per_scene must be 0 to {MAX_REGIONS}."
            )
        max_regions = min(request.max_regions_per_scene or DEFAULT_REGIONS, MAX_REGIONS)
        model, query = await self._resolver.resolve(request, deadline)
        if query.scene_id:
            where &= Where((), (AnyOf("scene_id", (query.scene_id,)),))
        searching = time.perf_counter()
        async with deadline.bounds_index():
            ranked = await self._searcher.scenes(
                model, query.vectors, where, min_score, offset, size, max_regions
            )
            scenes = await self._scenes(model, ranked)
        response = search_pb2.SearchScenesResponse(
            hits=[
                _scene_hit(group, scenes[scene_id], query.product_id)
                for group in ranked.groups
                # A scene being imported has regions before it has a record of its own.
                if (scene_id := str(group[0].payload["scene_id"])) in scenes
            ],
            next_page_token=_next_page(request, ranked, offset + size),
        )
        _describe(response, model, query, started, searching)
        return response

    async def _scenes(self, model: ModelSpec, ranked: Ranked) -> dict[str, Any]:
        ids = [records.scene_point_id(str(group[0].payload["scene_id"])) for group in ranked.groups]
        points = await self._index.retrieve(model.digest, Kind.SCENES, ids)
        return {str(point.payload["scene_id"]): point.payload for point in points.values()}


def _page(request: SearchRequest) -> tuple[int, int]:
    size = page_size(request.page_size, default=DEFAULT_PAGE, most=MAX_PAGE)
    position = page_position(request)
    # The check of a token is no secret, so that its position may still be anything.
    if position and not (position.isdecimal() and len(position) <= 4 and int(position) < MAX_HITS):
        raise wrong_token()
    offset = int(position or 0)
    return offset, min(size, MAX_HITS - offset)


def _next_page(request: SearchRequest, ranked: Ranked, following: int) -> str:
    return page_token(request, str(following)) if ranked.more and following < MAX_HITS else ""


def _product_hit(best: Found) -> search_pb2.ProductHit:
    return search_pb2.ProductHit(
        product=wire.product_to_proto(records.product_of(best.payload)),
        score=best.score,
        closest_image_id=best.payload["image_id"],
    )


def _scene_hit(group: tuple[Found, ...], payload: Any, product_id: str) -> search_pb2.SceneHit:
    regions = []
    for found in group:
        region = records.region_of(found.id, found.payload)
        shows = bool(product_id) and region.product_id == product_id
        regions.append(
            search_pb2.RegionHit(
                region=wire.region_to_proto(region), score=found.score, shows_query_product=shows
            )
        )
    return search_pb2.SceneHit(
        scene=wire.scene_to_proto(records.scene_of(payload)), score=group[0].score, regions=regions
    )


def _describe(
    response: search_pb2.SearchProductsResponse | search_pb2.SearchScenesResponse,
    model: ModelSpec,
    query: ResolvedQuery,
    started: float,
    searching: float,
) -> None:
    now = time.perf_counter()
    response.model_digest = model.digest
    response.low_confidence = query.low_confidence
    timing = response.timing
    timing.index_ms = (now - searching) * 1e3
    timing.total_ms = (now - started) * 1e3
    metrics.STAGE_SECONDS.labels("index").observe(now - searching)
    if query.photo is not None:
        photo = query.photo
        response.query_box.CopyFrom(wire.box_to_proto(photo.box))
        timing.embed_ms = photo.embed_ms
        timing.decode_ms, timing.wait_ms, timing.forward_ms = photo.decode_ms, photo.wait_ms, photo.forward_ms
        metrics.STAGE_SECONDS.labels("embed").observe(photo.embed_ms / 1e3)
