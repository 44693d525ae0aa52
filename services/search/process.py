"""The search process: parts wired together, health kept honest, everything closed at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from insitu.search.v1 import catalog_pb2_grpc, search_pb2_grpc
from services.runtime.channel import open_aio_channel
from services.runtime.errors import InsituError, NotReady
from services.runtime.logs import get_logger
from services.runtime.server import GrpcServer
from services.search import metrics
from services.search.catalog_servicer import CatalogServicer, ImportBounds
from services.search.config import SearchConfig
from services.search.embedder_gateway import EmbedderGateway
from services.search.image_work import ImageWork
from services.search.index.port import Index
from services.search.media import Media
from services.search.query_resolver import QueryResolver
from services.search.search_servicer import SearchServicer
from services.search.searcher import Searcher

SERVICE_NAMES = ("insitu.search.v1.SearchService", "insitu.search.v1.CatalogService")
_CHECK_EVERY_S = 1.0
_CHECK_TIMEOUT_S = 2.0
_log = get_logger(__name__)


def open_index(config: SearchConfig) -> Index:
    """The vector database that the configuration names; each adapter is imported only when it is used.

    Raises:
        SystemExit: the embedded index is used by another process, or damaged.
    """
    if not config.qdrant_url:
        from services.search.index.edge import EdgeIndex

        return EdgeIndex(config.data_dir / "index")
    from services.search.index.server import ServerIndex, connect

    client = connect(
        config.qdrant_url,
        api_key=config.qdrant_api_key.get_secret_value() if config.qdrant_api_key else "",
        ca_file=str(config.qdrant_tls_ca) if config.qdrant_tls_ca else None,
        timeout_s=config.qdrant_timeout_s,
    )
    return ServerIndex(client, config.qdrant_timeout_s)


@asynccontextmanager
async def running_server(config: SearchConfig, index: Index | None = None) -> AsyncIterator[GrpcServer]:
    """A started server; it stops and gives everything back at the end.

    Args:
        config: of this process.
        index: opened by `open_index` unless given; closed here either way.
    """
    async with AsyncExitStack() as stack:
        index = index or open_index(config)
        stack.push_async_callback(index.close)
        await _require_whole_index(index)
        media = Media(config.media_location())
        stack.callback(media.close)
        work = ImageWork(config.image_threads, config.image_cache_bytes)
        stack.callback(work.close)
        channel = open_aio_channel(config.embedder_client())
        stack.push_async_callback(channel.close)
        embedder = EmbedderGateway(channel)
        server = await stack.enter_async_context(GrpcServer(config, "search", SERVICE_NAMES))
        resolver = QueryResolver(index, embedder)
        searcher = Searcher(index, config.exact_search_limit)
        search_pb2_grpc.add_SearchServiceServicer_to_server(
            SearchServicer(index, resolver, searcher), server.grpc
        )
        catalog_pb2_grpc.add_CatalogServiceServicer_to_server(
            CatalogServicer(index=index, media=media, work=work, embedder=embedder, bounds=_bounds(config)),
            server.grpc,
        )
        await server.start()
        watcher = asyncio.create_task(_watch(index, embedder, server))
        try:
            yield server
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)


async def serve(config: SearchConfig) -> None:
    """Serves until SIGTERM or SIGINT."""
    async with running_server(config) as server:
        await server.wait_for_termination()


async def _require_whole_index(index: Index) -> None:
    """Refuse to start on collections that are not of one model and shape.

    A database that is out of reach is no reason: it may come back.
    """
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            await index.active()
    except NotReady as error:
        raise SystemExit(f"The vector database cannot be used: {error.message}") from error
    except (InsituError, TimeoutError):
        return


async def _watch(index: Index, embedder: EmbedderGateway, server: GrpcServer) -> None:
    """Ready while the vector database answers. The embedder does not count: query 2 works without."""
    while True:
        try:
            async with asyncio.timeout(_CHECK_TIMEOUT_S):
                await index.check()
        except (InsituError, TimeoutError):
            server.set_ready(False)
            metrics.INDEX_UP.set(0)
        except Exception:  # a bug here must not leave a stale answer behind
            _log.exception("health check")
            server.set_ready(False)
        else:
            server.set_ready(True)
            metrics.INDEX_UP.set(1)
        if not embedder.last_model_digest:
            try:
                await embedder.model()
            except InsituError as error:
                _log.debug("embedder", reason=error.reason)
            except Exception:  # nor may it end this watch
                _log.exception("embedder check")
        await asyncio.sleep(_CHECK_EVERY_S)


def _bounds(config: SearchConfig) -> ImportBounds:
    return ImportBounds(
        window=config.import_window,
        window_bytes=config.import_window_bytes,
        batch=config.import_batch,
        embed_timeout_s=config.embed_timeout_s,
    )
