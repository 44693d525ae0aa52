"""The adapter for a Qdrant server or cluster, over qdrant-client.

Collections are called insitu_<kind>_<64 hex digits of the model's digest>, so that nothing
but their names and shapes is needed to know what is there; the aliases insitu_<kind> point
to the model that serves and are switched together.
"""

from __future__ import annotations

import asyncio
import re
import time
import warnings
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import httpx
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.exceptions import ApiException, ResponseHandlingException, UnexpectedResponse

from services.runtime.errors import NotReady, Unavailable
from services.runtime.logs import get_logger
from services.search.index.port import (
    EVERYTHING,
    INDEXED_FIELDS,
    AnyOf,
    Between,
    Condition,
    Found,
    IdIn,
    Kind,
    Metric,
    ModelSpec,
    Point,
    Where,
)

_DISTANCES = {Metric.COSINE: models.Distance.COSINE, Metric.EUCLIDEAN: models.Distance.EUCLID}
_METRICS = {distance: metric for metric, distance in _DISTANCES.items()}
_NAME = re.compile(r"insitu_(products|scenes|regions)_([0-9a-f]{64})")
# After another replica switched the model, this one follows within so many seconds; the
# collections of the old model stay, so answers are right meanwhile.
_ACTIVE_TTL_S = 2.0
_log = get_logger(__name__)
_Value = TypeVar("_Value")


def connect(
    url: str, *, api_key: str = "", ca_file: str | None = None, timeout_s: float = 5.0
) -> AsyncQdrantClient:
    """A client of the server at `url`; nothing is sent yet."""
    options: dict[str, Any] = {"verify": ca_file} if ca_file else {}
    with warnings.catch_warnings():
        # An API key in clear text is judged by SearchConfig, in our own words.
        warnings.filterwarnings("ignore", message="Api key is used with an insecure connection")
        return AsyncQdrantClient(
            url=url,
            api_key=api_key or None,
            timeout=max(1, round(timeout_s)),
            check_compatibility=False,  # would call the server from the constructor
            **options,
        )


class ServerIndex:
    """Implements `Index` on a Qdrant server.

    Args:
        client: owned from here on; closed by `close`.
        timeout_s: longest wait for one answer.
    """

    engine = "qdrant"

    def __init__(self, client: AsyncQdrantClient, timeout_s: float = 5.0) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._specs: dict[str, ModelSpec] = {}
        self._active: ModelSpec | None = None
        self._active_until = 0.0
        self._trouble = ""

    async def ensure(self, model: ModelSpec) -> None:
        """See `Index.ensure`."""
        if self._specs.get(model.digest) == model:
            return
        for kind in Kind:
            name = _collection(model.digest, kind)
            if not await self._call(self._client.collection_exists(name)):
                await self._create(model, kind)
            await self._require_shape(model, kind)
            info = await self._call(self._client.get_collection(name))
            # Another replica, or this one before it was killed, may have made some of them.
            missing = INDEXED_FIELDS[kind].keys() - info.payload_schema.keys()
            for key in sorted(missing):
                field_type = INDEXED_FIELDS[kind][key]
                schema = models.PayloadSchemaType(field_type.value)
                await self._call(
                    self._client.create_payload_index(name, key, field_schema=schema, wait=True), slow=True
                )
        self._specs[model.digest] = model

    async def models(self) -> Sequence[ModelSpec]:
        """See `Index.models`."""
        answer = await self._call(self._client.get_collections())
        digests: dict[str, set[str]] = {}
        for collection in answer.collections:
            if found := _NAME.fullmatch(collection.name):
                digests.setdefault("sha256:" + found[2], set()).add(found[1])
        return [
            await self._spec(digest) for digest, kinds in sorted(digests.items()) if len(kinds) == len(Kind)
        ]

    async def active(self) -> ModelSpec | None:
        """See `Index.active`."""
        if self._active is not None and time.monotonic() < self._active_until:
            return self._active
        answer = await self._call(self._client.get_aliases())
        targets = {alias.alias_name: alias.collection_name for alias in answer.aliases}
        name = targets.get(_alias(Kind.PRODUCTS))
        if name is None:
            self._active = None
            return None
        found = _NAME.fullmatch(name)
        expected = {_alias(kind): _collection(found[2], kind) if found else "" for kind in Kind}
        if any(targets.get(alias) != collection for alias, collection in expected.items()):
            raise NotReady(
                "INDEX_MISMATCH",
                "The aliases insitu_* of the Qdrant server do not point to the collections of one model.",
            )
        assert found is not None
        self._active = await self._spec("sha256:" + found[2])
        self._active_until = time.monotonic() + _ACTIVE_TTL_S
        return self._active

    async def activate(self, digest: str) -> None:
        """See `Index.activate`."""
        spec = await self._spec(digest)
        answer = await self._call(self._client.get_aliases())
        present = {alias.alias_name for alias in answer.aliases}
        operations: list[models.AliasOperations] = []
        for kind in Kind:
            if _alias(kind) in present:
                gone = models.DeleteAlias(alias_name=_alias(kind))
                operations.append(models.DeleteAliasOperation(delete_alias=gone))
            new = models.CreateAlias(collection_name=_collection(digest, kind), alias_name=_alias(kind))
            operations.append(models.CreateAliasOperation(create_alias=new))
        await self._call(self._client.update_collection_aliases(operations))
        self._active, self._active_until = spec, time.monotonic() + _ACTIVE_TTL_S

    async def upsert(self, digest: str, kind: Kind, points: Sequence[Point]) -> None:
        """See `Index.upsert`."""
        if points:
            rows = [
                models.PointStruct(
                    id=p.id, vector=[float(x) for x in p.vector or ()], payload=dict(p.payload)
                )
                for p in points
            ]
            await self._call(self._client.upsert(_collection(digest, kind), rows, wait=True), slow=True)

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
        spec = await self._spec(digest)
        # The server reports Euclidean distances; a score is their negation.
        sign = 1.0 if spec.metric is Metric.COSINE else -1.0
        answer = await self._call(
            self._client.query_points(
                _collection(digest, kind),
                query=[float(x) for x in vector],
                query_filter=_filter(where),
                limit=limit,
                with_payload=True,
                score_threshold=None if min_score is None else sign * min_score,
                search_params=models.SearchParams(exact=exact),
            )
        )
        return [Found(str(hit.id), sign * hit.score, hit.payload or {}) for hit in answer.points]

    async def retrieve(
        self, digest: str, kind: Kind, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, Point]:
        """See `Index.retrieve`."""
        if not ids:
            return {}
        records = await self._call(
            self._client.retrieve(
                _collection(digest, kind), list(ids), with_payload=True, with_vectors=with_vectors
            )
        )
        return {str(record.id): _point(record) for record in records}

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
        records, following = await self._call(
            self._client.scroll(
                _collection(digest, kind),
                scroll_filter=_filter(where),
                limit=limit,
                offset=cursor,
                with_payload=True,
                with_vectors=with_vectors,
            )
        )
        return [_point(record) for record in records], None if following is None else str(following)

    async def count(self, digest: str, kind: Kind, where: Where = EVERYTHING) -> int:
        """See `Index.count`."""
        answer = await self._call(
            self._client.count(_collection(digest, kind), count_filter=_filter(where), exact=True)
        )
        return int(answer.count)

    async def facet(
        self, digest: str, kind: Kind, key: str, *, where: Where = EVERYTHING, limit: int = 1000
    ) -> list[tuple[str, int]]:
        """See `Index.facet`."""
        answer = await self._call(
            self._client.facet(
                _collection(digest, kind), key, facet_filter=_filter(where), limit=limit, exact=True
            )
        )
        hits = [(str(hit.value), int(hit.count)) for hit in answer.hits]
        return sorted((hit for hit in hits if hit[1]), key=lambda hit: (-hit[1], hit[0]))

    async def newest(self, digest: str, kind: Kind, key: str) -> int | None:
        """See `Index.newest`."""
        order = models.OrderBy(key=key, direction=models.Direction.DESC)
        records, _ = await self._call(
            self._client.scroll(_collection(digest, kind), limit=1, order_by=order, with_payload=[key])
        )
        return int((records[0].payload or {})[key]) if records else None

    async def delete(self, digest: str, kind: Kind, where: Where) -> None:
        """See `Index.delete`."""
        selector = _filter(where)
        if selector is None:
            raise ValueError("a deletion must be restricted")
        await self._call(
            self._client.delete(_collection(digest, kind), models.FilterSelector(filter=selector), wait=True),
            slow=True,
        )

    async def flush(self, digest: str, *kinds: Kind) -> None:
        """See `Index.flush`: the server has written its log before it confirms an operation."""

    async def optimize(self, digest: str) -> None:
        """See `Index.optimize`: the server optimises by itself."""

    async def check(self) -> None:
        """See `Index.check`."""
        await self._call(self._client.get_aliases())

    async def close(self) -> None:
        """See `Index.close`."""
        await self._client.close()

    async def _create(self, model: ModelSpec, kind: Kind) -> None:
        name = _collection(model.digest, kind)
        vectors = models.VectorParams(size=model.dimension, distance=_DISTANCES[model.metric])
        try:
            await self._call(self._client.create_collection(name, vectors_config=vectors), slow=True)
        except Unavailable:
            if not await self._call(self._client.collection_exists(name)):
                raise  # else another replica was first

    async def _spec(self, digest: str) -> ModelSpec:
        if digest not in self._specs:
            shapes = [await self._shape(digest, kind) for kind in Kind]
            if len(set(shapes)) != 1:
                raise NotReady(
                    "INDEX_MISMATCH", "The collections of this model on the Qdrant server differ in shape."
                )
            self._specs[digest] = ModelSpec(digest, *shapes[0])
        return self._specs[digest]

    async def _shape(self, digest: str, kind: Kind) -> tuple[int, Metric]:
        info = await self._call(self._client.get_collection(_collection(digest, kind)))
        vectors = info.config.params.vectors
        if not isinstance(vectors, models.VectorParams) or vectors.distance not in _METRICS:
            raise NotReady("INDEX_MISMATCH", "A collection of the Qdrant server was not made by InSitu.")
        return vectors.size, _METRICS[vectors.distance]

    async def _require_shape(self, model: ModelSpec, kind: Kind) -> None:
        dimension, metric = await self._shape(model.digest, kind)
        if (dimension, metric) != (model.dimension, model.metric):
            raise NotReady(
                "INDEX_MISMATCH",
                f"The collection {_collection(model.digest, kind)} has {dimension} dimensions and metric "
                f"{metric.value}, the model {model.dimension} and {model.metric.value}.",
            )

    async def _call(self, answer: Awaitable[_Value], *, slow: bool = False) -> _Value:
        try:
            async with asyncio.timeout(self._timeout_s * (6 if slow else 1)):
                value = await answer
        except (ApiException, httpx.HTTPError, TimeoutError, OSError) as error:
            raise self._translated(error) from error
        if self._trouble:
            self._trouble = ""
            _log.info("vector database answers again")
        return value

    def _translated(self, error: Exception) -> NotReady | Unavailable:
        if isinstance(error, UnexpectedResponse) and error.status_code == 404:
            return NotReady("MODEL_NOT_INDEXED", "Nothing was imported under that model.")
        if isinstance(error, UnexpectedResponse) and error.status_code in (401, 403):
            trouble = Unavailable("INDEX_KEY_REFUSED", "The vector database refused this service's key.")
        elif isinstance(error, UnexpectedResponse):
            trouble = Unavailable(
                "INDEX_FAILED", f"The vector database answered with HTTP status {error.status_code}."
            )
        elif isinstance(error, TimeoutError) or _is_timeout(error):
            trouble = Unavailable("INDEX_TIMEOUT", "The vector database did not answer in time.")
        else:
            trouble = Unavailable("INDEX_UNREACHABLE", "The vector database cannot be reached.")
        if trouble.reason != self._trouble:  # once for each change, not for each call
            self._trouble = trouble.reason
            _log.error("vector database", reason=trouble.reason, error=type(error).__name__)
        return trouble


def _is_timeout(error: Exception) -> bool:
    cause: Any = error.source if isinstance(error, ResponseHandlingException) else error
    return isinstance(cause, httpx.TimeoutException)


def _collection(digest: str, kind: Kind) -> str:
    return f"insitu_{kind.value}_{digest.removeprefix('sha256:')}"


def _alias(kind: Kind) -> str:
    return f"insitu_{kind.value}"


def _point(record: models.Record) -> Point:
    vector: Any = record.vector
    return Point(str(record.id), record.payload or {}, vector)


def _filter(where: Where) -> models.Filter | None:
    if not where:
        return None
    return models.Filter(
        must=[_condition(part) for part in where.must] or None,
        must_not=[_condition(part) for part in where.must_not] or None,
    )


def _condition(condition: Condition) -> models.Condition:
    match condition:
        case AnyOf(key, values):
            return models.FieldCondition(key=key, match=models.MatchAny(any=list(values)))
        case Between(key, low, high):
            return models.FieldCondition(key=key, range=models.Range(gte=low, lte=high))
        case IdIn(ids):
            return models.HasIdCondition(has_id=list(ids))
