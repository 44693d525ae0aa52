"""The embedded adapter: Qdrant's engine in this process (qdrant-edge-py), in one folder.

    <folder>/LOCK                       held by the one process that uses the folder
    <folder>/CURRENT                    digest of the model that serves
    <folder>/<16 hex digits>/meta.json  digest, dimension, metric
    <folder>/<16 hex digits>/{products,scenes,regions}/

The engine is in beta and pinned; nothing but this file knows its interface. It has no
collections, aliases or asyncio: folders, a file and an executor stand in for them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import qdrant_edge as edge

from services.runtime.errors import NotReady, Unavailable
from services.runtime.logs import get_logger
from services.search.index.edge_folder import lock_folder, read_spec, sync_folder, write_durably
from services.search.index.port import (
    EVERYTHING,
    INDEXED_FIELDS,
    AnyOf,
    Between,
    Condition,
    FieldType,
    Found,
    IdIn,
    Kind,
    Metric,
    ModelSpec,
    Point,
    Where,
)

_DISTANCES = {Metric.COSINE: edge.Distance.Cosine, Metric.EUCLIDEAN: edge.Distance.Euclid}
_FIELD_TYPES = {
    FieldType.KEYWORD: edge.PayloadSchemaType.Keyword,
    FieldType.INTEGER: edge.PayloadSchemaType.Integer,
    FieldType.FLOAT: edge.PayloadSchemaType.Float,
}
_READERS = 4
_CHECKPOINT_POINTS = 4_096
_log = get_logger(__name__)
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class _Collections:
    spec: ModelSpec
    shards: dict[Kind, Any]


class EdgeIndex:
    """Implements `Index` on a folder, which it alone may use.

    Raises:
        SystemExit: another process uses the folder, or it cannot be opened.
    """

    engine = "edge"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock_file = lock_folder(folder)
        # Queries hold the GIL for less than a millisecond each; what matters is that they leave the loop.
        self._executor = ThreadPoolExecutor(_READERS, thread_name_prefix="index")
        self._write_lock = threading.Lock()
        self._open_lock = threading.Lock()
        self._open: dict[str, _Collections] = {}
        self._since_checkpoint: Counter[tuple[str, Kind]] = Counter()
        self._active: ModelSpec | None = None
        try:
            self._active = self._read_current()
        except BaseException:
            self._lock_file.close()
            raise

    async def ensure(self, model: ModelSpec) -> None:
        """See `Index.ensure`."""

        def work() -> None:
            stored = read_spec(self._folder / model.hex[:16])
            if stored is None:
                self._create(model)
            elif stored != model:
                raise NotReady(
                    "INDEX_MISMATCH",
                    f"The index of this model has {stored.dimension} dimensions and metric "
                    f"{stored.metric.value}, the model {model.dimension} and {model.metric.value}.",
                )
            self._collections(model.digest)

        await self._run(work)

    async def models(self) -> Sequence[ModelSpec]:
        """See `Index.models`."""
        return await self._run(self._read_specs)

    async def active(self) -> ModelSpec | None:
        """See `Index.active`."""
        return self._active

    async def activate(self, digest: str) -> None:
        """See `Index.activate`."""

        def work() -> None:
            spec = self._collections(digest).spec
            write_durably(self._folder / "CURRENT", digest)
            self._active = spec

        await self._run(work)

    async def upsert(self, digest: str, kind: Kind, points: Sequence[Point]) -> None:
        """See `Index.upsert`."""
        if not points:
            return

        def work() -> None:
            rows = [edge.Point(p.id, list(p.vector or ()), dict(p.payload)) for p in points]
            with self._write_lock:
                self._shard(digest, kind).update(edge.UpdateOperation.upsert_points(rows))
                self._since_checkpoint[digest, kind] += len(rows)

        await self._run(work)

    async def search(
        self,
        digest: str,
        kind: Kind,
        vector: Sequence[float],
        *,
        where: Where = EVERYTHING,
        limit: int,
        min_score: float | None = None,
        exact: bool = True,
    ) -> list[Found]:
        """See `Index.search`."""

        def work() -> list[Found]:
            collections = self._collections(digest)
            # The engine reports Euclidean distances; a score is their negation.
            sign = 1.0 if collections.spec.metric is Metric.COSINE else -1.0
            request = edge.QueryRequest(
                limit=limit,
                query=edge.Query.Nearest(list(vector)),
                filter=_filter(where),
                with_payload=True,
                score_threshold=None if min_score is None else sign * min_score,
                params=edge.SearchParams(exact=exact),
            )
            hits = collections.shards[kind].query(request)
            return [Found(str(hit.id), sign * hit.score, hit.payload or {}) for hit in hits]

        return await self._run(work)

    async def retrieve(
        self, digest: str, kind: Kind, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, Point]:
        """See `Index.retrieve`."""
        if not ids:
            return {}

        def work() -> dict[str, Point]:
            records = self._shard(digest, kind).retrieve(
                list(ids), with_payload=True, with_vector=with_vectors
            )
            return {str(record.id): _point(record) for record in records}

        return await self._run(work)

    async def scroll(
        self,
        digest: str,
        kind: Kind,
        *,
        where: Where = EVERYTHING,
        limit: int,
        cursor: str | None = None,
        with_vectors: bool = False,
    ) -> tuple[list[Point], str | None]:
        """See `Index.scroll`."""

        def work() -> tuple[list[Point], str | None]:
            request = edge.ScrollRequest(
                offset=cursor,
                limit=limit,
                filter=_filter(where),
                with_payload=True,
                with_vector=with_vectors,
            )
            records, following = self._shard(digest, kind).scroll(request)
            return [_point(record) for record in records], None if following is None else str(following)

        return await self._run(work)

    async def count(self, digest: str, kind: Kind, where: Where = EVERYTHING) -> int:
        """See `Index.count`."""
        request = edge.CountRequest(exact=True, filter=_filter(where))
        return await self._run(lambda: int(self._shard(digest, kind).count(request)))

    async def facet(
        self, digest: str, kind: Kind, key: str, *, where: Where = EVERYTHING, limit: int = 1000
    ) -> list[tuple[str, int]]:
        """See `Index.facet`."""
        request = edge.FacetRequest(key, limit=limit, exact=True, filter=_filter(where))

        def work() -> list[tuple[str, int]]:
            hits = [(str(hit.value), int(hit.count)) for hit in self._shard(digest, kind).facet(request)]
            return sorted((hit for hit in hits if hit[1]), key=lambda hit: (-hit[1], hit[0]))

        return await self._run(work)

    async def newest(self, digest: str, kind: Kind, key: str) -> int | None:
        """See `Index.newest`."""
        order = edge.OrderBy(key, edge.Direction.Desc)
        request = edge.ScrollRequest(limit=1, with_payload=[key], order_by=order)

        def work() -> int | None:
            records, _ = self._shard(digest, kind).scroll(request)
            return int(records[0].payload[key]) if records else None

        return await self._run(work)

    async def delete(self, digest: str, kind: Kind, where: Where) -> None:
        """See `Index.delete`."""
        if not where:
            raise ValueError("a deletion must be restricted")

        def work() -> None:
            operation = edge.UpdateOperation.delete_points_by_filter(_filter(where))
            with self._write_lock:
                self._shard(digest, kind).update(operation)

        await self._run(work)

    async def flush(self, digest: str, *kinds: Kind) -> None:
        """See `Index.flush`.

        The engine's own flush holds the GIL while it syncs some fifty files (60 to 200 ms on two cores), and
        would stop every query with each batch. The write-ahead log alone is enough: the engine replays it on
        top of whatever state its last flush left. So the log is synced, which releases the GIL, and the
        engine flushes now and then to keep the log short.
        """

        def work() -> None:
            for kind in kinds:
                if self._since_checkpoint[digest, kind] >= _CHECKPOINT_POINTS:
                    self._since_checkpoint[digest, kind] = 0
                    self._shard(digest, kind).flush()
                else:
                    sync_folder(self._folder / digest.removeprefix("sha256:")[:16] / kind / "wal")

        await self._run(work)

    async def optimize(self, digest: str) -> None:
        """See `Index.optimize`. Releases the GIL; searches go on."""

        def work() -> None:
            for shard in self._collections(digest).shards.values():
                shard.optimize()

        await self._run(work)

    async def check(self) -> None:
        """See `Index.check`: the engine is this process, so a count of the serving products will do."""
        if self._active is not None:
            await self.count(self._active.digest, Kind.PRODUCTS)

    async def close(self) -> None:
        """See `Index.close`."""

        def work() -> None:
            for collections in self._open.values():
                for shard in collections.shards.values():
                    shard.flush()
                    shard.close()
            self._open.clear()

        await self._run(work)
        self._executor.shutdown()
        self._lock_file.close()

    async def _run(self, work: Callable[[], _Value]) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(self._executor, _translated, work)

    def _shard(self, digest: str, kind: Kind) -> Any:
        return self._collections(digest).shards[kind]

    def _collections(self, digest: str) -> _Collections:
        with self._open_lock:
            if digest not in self._open:
                folder = self._folder / digest.removeprefix("sha256:")[:16]
                spec = read_spec(folder)
                if spec is None or spec.digest != digest:
                    raise NotReady("MODEL_NOT_INDEXED", "Nothing was imported under that model.")
                self._open[digest] = _Collections(
                    spec, {kind: edge.EdgeShard.load(str(folder / kind)) for kind in Kind}
                )
            return self._open[digest]

    def _create(self, model: ModelSpec) -> None:
        folder = self._folder / model.hex[:16]
        for kind in Kind:
            path = folder / kind
            if path.exists():  # a kill came before meta.json, so that nothing is in here yet
                shutil.rmtree(path)
            path.mkdir(parents=True)
            vectors = edge.EdgeVectorParams(size=model.dimension, distance=_DISTANCES[model.metric])
            shard = edge.EdgeShard.create(str(path), edge.EdgeConfig(vectors=vectors, wal_enabled=True))
            for key, field_type in INDEXED_FIELDS[kind].items():
                shard.update(edge.UpdateOperation.create_field_index(key, _FIELD_TYPES[field_type]))
            shard.flush()
            shard.close()
        meta = {"digest": model.digest, "dimension": model.dimension, "metric": model.metric.value}
        write_durably(folder / "meta.json", json.dumps(meta))

    def _read_current(self) -> ModelSpec | None:
        try:
            digest = (self._folder / "CURRENT").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        try:
            return _translated(lambda: self._collections(digest).spec)
        except (NotReady, Unavailable, ValueError) as error:
            raise SystemExit(
                f"The index in {self._folder} is damaged or of another version ({error}): "
                "restore it from a backup, or remove the folder and run `insitu index FOLDER` again."
            ) from error

    def _read_specs(self) -> list[ModelSpec]:
        found = (read_spec(folder) for folder in sorted(self._folder.iterdir()))
        return [spec for spec in found if spec is not None]


def _translated(work: Callable[[], _Value]) -> _Value:
    try:
        return work()
    except (NotReady, ValueError):
        raise
    except OSError as error:
        raise Unavailable(
            "INDEX_FAILED", f"The index cannot be written or read: {error.strerror}."
        ) from error
    except Exception as error:  # the engine raises bare Exception for everything
        if "No space left" in str(error):
            text = "The disk of the index is full: free some space. What was stored before still serves."
            raise Unavailable("DISK_FULL", text) from error
        if type(error) is Exception:
            _log.exception("embedded vector engine")
            raise Unavailable("INDEX_FAILED", "The embedded vector engine failed; see the log.") from error
        raise


def _point(record: Any) -> Point:
    return Point(str(record.id), record.payload or {}, record.vector)


def _filter(where: Where) -> Any:
    if not where:
        return None
    return edge.Filter(
        must=[_condition(part) for part in where.must] or None,
        must_not=[_condition(part) for part in where.must_not] or None,
    )


def _condition(condition: Condition) -> Any:
    match condition:
        case AnyOf(key, values):
            return edge.FieldCondition(key, match=edge.MatchAny(list(values)))  # type: ignore[arg-type]
        case Between(key, low, high):
            return edge.FieldCondition(key, range=edge.RangeFloat(gte=low, lte=high))
        case IdIn(ids):
            return edge.HasIdCondition(set(ids))
