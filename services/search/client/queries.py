"""Queries, filters and results of the client, as protobuf requests and responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from insitu.search.v1 import search_pb2
from services.search import wire
from services.search.client.values import (
    EmbeddingQuery,
    PhotoQuery,
    ProductFilter,
    ProductHit,
    ProductQuery,
    ProductResults,
    Query,
    RegionHit,
    RegionQuery,
    SceneFilter,
    SceneHit,
    SceneResults,
    SearchTiming,
)


def products_request(
    query: Query, where: ProductFilter | None, min_score: float | None, page_size: int, page_token: str
) -> search_pb2.SearchProductsRequest:
    """The request of query 1."""
    request = search_pb2.SearchProductsRequest(page_size=page_size, page_token=page_token)
    _set_query(request, query)
    if min_score is not None:
        request.min_score = min_score
    if where is not None:
        request.filter.categories.extend(where.categories)
        request.filter.attributes.extend(_attribute_filters(where.attributes))
        if where.price_min is not None:
            request.filter.price_min = where.price_min
        if where.price_max is not None:
            request.filter.price_max = where.price_max
    return request


def scenes_request(
    query: Query,
    where: SceneFilter | None,
    min_score: float | None,
    page_size: int,
    page_token: str,
    max_regions_per_scene: int,
) -> search_pb2.SearchScenesRequest:
    """The request of query 2."""
    request = search_pb2.SearchScenesRequest(
        page_size=page_size, page_token=page_token, max_regions_per_scene=max_regions_per_scene
    )
    _set_query(request, query)
    if min_score is not None:
        request.min_score = min_score
    if where is not None:
        request.filter.categories.extend(where.categories)
        request.filter.attributes.extend(_attribute_filters(where.attributes))
        request.filter.exclude_proposed = where.exclude_proposed
        request.filter.product_ids.extend(where.product_ids)
    return request


def product_results(reply: search_pb2.SearchProductsResponse) -> ProductResults:
    """The answer of query 1."""
    return ProductResults(
        hits=tuple(
            ProductHit(wire.product_from_proto(hit.product), hit.score, hit.closest_image_id)
            for hit in reply.hits
        ),
        next_page_token=reply.next_page_token,
        low_confidence=reply.low_confidence,
        model_digest=reply.model_digest,
        query_box=wire.box_from_proto(reply.query_box) if reply.HasField("query_box") else None,
        timing=_timing(reply.timing),
    )


def scene_results(reply: search_pb2.SearchScenesResponse) -> SceneResults:
    """The answer of query 2."""
    return SceneResults(
        hits=tuple(
            SceneHit(
                scene=wire.scene_from_proto(hit.scene),
                score=hit.score,
                regions=tuple(
                    RegionHit(wire.region_from_proto(found.region), found.score, found.shows_query_product)
                    for found in hit.regions
                ),
            )
            for hit in reply.hits
        ),
        next_page_token=reply.next_page_token,
        low_confidence=reply.low_confidence,
        model_digest=reply.model_digest,
        query_box=wire.box_from_proto(reply.query_box) if reply.HasField("query_box") else None,
        timing=_timing(reply.timing),
    )


def _set_query(
    request: search_pb2.SearchProductsRequest | search_pb2.SearchScenesRequest, query: Query
) -> None:
    match query:
        case PhotoQuery(image, box):
            request.image.image = image
            if box is not None:
                request.image.box.CopyFrom(wire.box_to_proto(box))
        case ProductQuery(product_id):
            request.product_id = product_id
        case RegionQuery(region_id):
            request.region_id = region_id
        case EmbeddingQuery(values, model_digest):
            request.embedding.values.extend(values)
            request.embedding.model_digest = model_digest


def _attribute_filters(wanted: Mapping[str, Sequence[str]]) -> list[search_pb2.AttributeFilter]:
    return [search_pb2.AttributeFilter(name=name, values=values) for name, values in wanted.items()]


def _timing(message: search_pb2.SearchTiming) -> SearchTiming:
    return SearchTiming(
        total_ms=message.total_ms,
        embed_ms=message.embed_ms,
        decode_ms=message.decode_ms,
        wait_ms=message.wait_ms,
        forward_ms=message.forward_ms,
        index_ms=message.index_ms,
    )
