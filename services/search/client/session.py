"""The client itself: one method for each call of both services."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

from insitu.search.v1 import catalog_pb2, catalog_pb2_grpc, search_pb2_grpc
from services.runtime.channel import open_channel
from services.runtime.config import ClientConfig
from services.runtime.errors import error_from_call
from services.search import wire
from services.search.client import imports, queries
from services.search.client.values import (
    CatalogFacts,
    ImportOutcome,
    ProductFilter,
    ProductPage,
    ProductResults,
    ProductUpload,
    Query,
    SceneFilter,
    ScenePage,
    SceneResults,
    SceneUpload,
)
from services.search.entities import Product, Scene

Reply = TypeVar("Reply")


class SearchClient:
    """A connection to the search process. Thread-safe; use as a context manager or call `close`.

    Every method raises the typed errors of `services.runtime.errors`: InvalidInput,
    NotFound, NotReady, Busy, Unavailable, DeadlineExceeded, Unauthenticated.
    """

    def __init__(self, config: ClientConfig) -> None:
        """Opens no connection yet: the first call does."""
        self._channel = open_channel(config)
        self._search = search_pb2_grpc.SearchServiceStub(self._channel)
        self._catalog = catalog_pb2_grpc.CatalogServiceStub(self._channel)

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the connection."""
        self.close()

    def close(self) -> None:
        """Closes the connection; calls in flight end as cancelled."""
        self._channel.close()

    # --- Queries -------------------------------------------------------------

    def search_products(
        self,
        query: Query,
        *,
        filter: ProductFilter | None = None,  # noqa: A002  the word of the contract
        min_score: float | None = None,
        page_size: int = 20,
        page_token: str = "",
        deadline_s: float = 10.0,
    ) -> ProductResults:
        """Query 1: the products most similar to the query, best first."""
        request = queries.products_request(query, filter, min_score, page_size, page_token)
        return queries.product_results(_call(self._search.SearchProducts, request, deadline_s))

    def search_scenes(
        self,
        query: Query,
        *,
        filter: SceneFilter | None = None,  # noqa: A002  the word of the contract
        min_score: float | None = None,
        page_size: int = 20,
        page_token: str = "",
        max_regions_per_scene: int = 0,
        deadline_s: float = 10.0,
    ) -> SceneResults:
        """Query 2: the scenes that use something most like the query, each with its matching boxes."""
        request = queries.scenes_request(
            query, filter, min_score, page_size, page_token, max_regions_per_scene
        )
        return queries.scene_results(_call(self._search.SearchScenes, request, deadline_s))

    # --- Reading the catalogue -------------------------------------------------

    def get_product(self, product_id: str, *, deadline_s: float = 10.0) -> Product:
        """One product. Raises NotFound."""
        request = catalog_pb2.GetProductRequest(product_id=product_id)
        return wire.product_from_proto(_call(self._catalog.GetProduct, request, deadline_s).product)

    def list_products(
        self,
        *,
        categories: Sequence[str] = (),
        page_size: int = 50,
        page_token: str = "",
        deadline_s: float = 10.0,
    ) -> ProductPage:
        """Products in a stable order, at most 200 a page."""
        request = catalog_pb2.ListProductsRequest(
            categories=categories, page_size=page_size, page_token=page_token
        )
        reply = _call(self._catalog.ListProducts, request, deadline_s)
        return ProductPage(tuple(map(wire.product_from_proto, reply.products)), reply.next_page_token)

    def get_scene(self, scene_id: str, *, deadline_s: float = 10.0) -> Scene:
        """One scene with its regions. Raises NotFound."""
        request = catalog_pb2.GetSceneRequest(scene_id=scene_id)
        return wire.scene_from_proto(_call(self._catalog.GetScene, request, deadline_s).scene)

    def list_scenes(
        self, *, page_size: int = 50, page_token: str = "", deadline_s: float = 10.0
    ) -> ScenePage:
        """Scenes in a stable order, at most 200 a page, without their regions."""
        request = catalog_pb2.ListScenesRequest(page_size=page_size, page_token=page_token)
        reply = _call(self._catalog.ListScenes, request, deadline_s)
        return ScenePage(tuple(map(wire.scene_from_proto, reply.scenes)), reply.next_page_token)

    def facts(self, *, deadline_s: float = 10.0) -> CatalogFacts:
        """Counts, categories, model and import time."""
        reply = _call(self._catalog.GetCatalogFacts, catalog_pb2.GetCatalogFactsRequest(), deadline_s)
        indexed_at = reply.indexed_at.ToDatetime(tzinfo=UTC) if reply.HasField("indexed_at") else None
        return CatalogFacts(
            product_count=reply.product_count,
            product_image_count=reply.product_image_count,
            scene_count=reply.scene_count,
            region_count=reply.region_count,
            categories=tuple((entry.category, entry.product_count) for entry in reply.categories),
            attribute_names=tuple(reply.attribute_names),
            model_digest=reply.model_digest,
            embedder_model_digest=reply.embedder_model_digest,
            dimension=reply.dimension,
            indexed_at=indexed_at,
            engine=reply.engine,
        )

    def get_image(self, image_id: str, max_side_px: int = 0, *, deadline_s: float = 10.0) -> bytes:
        """A stored image as JPEG, its longest side at most `max_side_px` (0: full size). Raises NotFound."""
        request = catalog_pb2.GetImageRequest(image_id=image_id, max_side_px=max_side_px)
        return bytes(_call(self._catalog.GetImage, request, deadline_s).data)

    # --- Changing the catalogue ------------------------------------------------

    def import_products(
        self,
        uploads: Iterable[ProductUpload],
        *,
        window: int = 128,
        assume_new: bool | None = None,
        stall_s: float = 300.0,
    ) -> Iterator[ImportOutcome]:
        """Imports products; yields one outcome for each, as they are safely stored.

        Digests go first and bytes only on demand, unless `assume_new` (None:
        where the catalogue has no products yet). At most `window` uploads are in
        flight, and no file is held longer than its request. Raises
        DeadlineExceeded when nothing is answered for `stall_s`.
        """
        if assume_new is None:
            assume_new = self.facts().product_count == 0
        return imports.run_import(
            self._catalog.ImportProducts, imports.product_items(uploads), window, assume_new, stall_s
        )

    def import_scenes(
        self,
        uploads: Iterable[SceneUpload],
        *,
        window: int = 128,
        assume_new: bool | None = None,
        stall_s: float = 300.0,
    ) -> Iterator[ImportOutcome]:
        """Imports scenes, as `import_products`. Import products first: regions name them."""
        if assume_new is None:
            assume_new = self.facts().scene_count == 0
        return imports.run_import(
            self._catalog.ImportScenes, imports.scene_items(uploads), window, assume_new, stall_s
        )

    def delete_products(self, product_ids: Sequence[str], *, deadline_s: float = 60.0) -> int:
        """Removes products (at most 1,000 ids); returns how many there were."""
        request = catalog_pb2.DeleteProductsRequest(product_ids=product_ids)
        return int(_call(self._catalog.DeleteProducts, request, deadline_s).deleted_count)

    def delete_scenes(self, scene_ids: Sequence[str], *, deadline_s: float = 60.0) -> int:
        """Removes scenes (at most 1,000 ids) with their regions; returns how many there were."""
        request = catalog_pb2.DeleteScenesRequest(scene_ids=scene_ids)
        return int(_call(self._catalog.DeleteScenes, request, deadline_s).deleted_count)

    def activate_model(self, model_digest: str, *, deadline_s: float = 60.0) -> str:
        """Serves the vectors of another model; returns the digest that served before, or ""."""
        request = catalog_pb2.ActivateModelRequest(model_digest=model_digest)
        return str(_call(self._catalog.ActivateModel, request, deadline_s).previous_model_digest)


def _call(method: Callable[..., Reply], request: Any, deadline_s: float) -> Reply:
    try:
        return method(request, timeout=deadline_s)
    except grpc.RpcError as error:
        raise error_from_call(error) from error
