"""Typed client of the search and catalog services.

    with SearchClient(ClientConfig(address="127.0.0.1:50052")) as client:
        page = client.search_products(PhotoQuery(photo, Box(10, 10, 200, 180)))

Errors are those of `services.runtime.errors`, the same that the service raised.
This package needs neither the vector engine nor the network.
"""

from services.imaging import Box
from services.runtime.config import ClientConfig
from services.search.client.session import SearchClient
from services.search.client.values import (
    CatalogFacts,
    EmbeddingQuery,
    ImageFile,
    ImportOutcome,
    ImportProblem,
    ImportStatus,
    PhotoQuery,
    ProductFilter,
    ProductHit,
    ProductPage,
    ProductQuery,
    ProductResults,
    ProductUpload,
    Query,
    RegionBox,
    RegionHit,
    RegionQuery,
    SceneFilter,
    SceneHit,
    ScenePage,
    SceneResults,
    SceneUpload,
    SearchTiming,
)
from services.search.entities import Image, Product, Region, Scene

__all__ = [
    "Box",
    "CatalogFacts",
    "ClientConfig",
    "EmbeddingQuery",
    "Image",
    "ImageFile",
    "ImportOutcome",
    "ImportProblem",
    "ImportStatus",
    "PhotoQuery",
    "Product",
    "ProductFilter",
    "ProductHit",
    "ProductPage",
    "ProductQuery",
    "ProductResults",
    "ProductUpload",
    "Query",
    "Region",
    "RegionBox",
    "RegionHit",
    "RegionQuery",
    "Scene",
    "SceneFilter",
    "SceneHit",
    "ScenePage",
    "SceneResults",
    "SceneUpload",
    "SearchClient",
    "SearchTiming",
]
