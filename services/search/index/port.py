"""What the search service asks of a vector database: the port that both adapters implement.

Vectors of different models never mix: every operation names a model by its digest, and
each model has its own three collections. Which model serves is one pointer, switched in
one step. Scores follow the model's metric, higher is more similar: cosine similarity, or
the negated Euclidean distance. Everything above this port is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Payload = Mapping[str, Any]


class Kind(StrEnum):
    """The three collections of a model."""

    PRODUCTS = "products"
    """One point for each iconic image of a product."""
    SCENES = "scenes"
    """One point for each scene: the embedding of the whole photo."""
    REGIONS = "regions"
    """One point for each region of a scene."""


class Metric(StrEnum):
    """How two embeddings are compared."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"


class FieldType(StrEnum):
    """How a payload field is indexed."""

    KEYWORD = "keyword"
    INTEGER = "integer"
    FLOAT = "float"


INDEXED_FIELDS: Mapping[Kind, Mapping[str, FieldType]] = {
    Kind.PRODUCTS: {
        "product_id": FieldType.KEYWORD,
        "category": FieldType.KEYWORD,
        "price": FieldType.FLOAT,
        "tags": FieldType.KEYWORD,
        "attribute_names": FieldType.KEYWORD,
        "ordinal": FieldType.INTEGER,
        "image_id": FieldType.KEYWORD,
        "stored_at": FieldType.INTEGER,
    },
    Kind.SCENES: {
        "scene_id": FieldType.KEYWORD,
        "tags": FieldType.KEYWORD,
        "image_id": FieldType.KEYWORD,
        "stored_at": FieldType.INTEGER,
    },
    Kind.REGIONS: {
        "scene_id": FieldType.KEYWORD,
        "product_id": FieldType.KEYWORD,
        "category": FieldType.KEYWORD,
        "tags": FieldType.KEYWORD,
        "proposed": FieldType.INTEGER,
    },
}
"""The payload fields that filters, facets and orders may name."""


@dataclass(frozen=True)
class ModelSpec:
    """What the collections of a model are made for. `digest` is "sha256:" and 64 hex digits."""

    digest: str
    dimension: int
    metric: Metric

    @property
    def hex(self) -> str:
        """The 64 hex digits of the digest."""
        return self.digest.removeprefix("sha256:")


@dataclass(frozen=True)
class Point:
    """A stored point; `vector` is None where it was not asked for. Ids are lower-case UUIDs."""

    id: str
    payload: Payload
    vector: Sequence[float] | None = None


@dataclass(frozen=True)
class Found:
    """A point found by a search."""

    id: str
    score: float
    payload: Payload


@dataclass(frozen=True)
class AnyOf:
    """The field, or one of its items when it is a list, equals one of the values."""

    key: str
    values: tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True)
class Between:
    """The field is a number within the bounds, both inclusive; None is open. No field, no match."""

    key: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class IdIn:
    """The point is one of these."""

    ids: tuple[str, ...]


Condition = AnyOf | Between | IdIn


@dataclass(frozen=True)
class Where:
    """All of `must` and none of `must_not`."""

    must: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        """Whether it restricts anything."""
        return bool(self.must or self.must_not)

    def __and__(self, other: Where) -> Where:
        """Both."""
        return Where(self.must + other.must, self.must_not + other.must_not)


EVERYTHING = Where()


class Index(Protocol):
    """A vector database. Errors: `Unavailable` (out of reach), `NotReady` (other dimension or metric)."""

    engine: str
    """Name in the catalogue's facts: "edge" or "qdrant"."""

    async def ensure(self, model: ModelSpec) -> None:
        """Create the collections of a model unless they are there; refuse those of another shape."""

    async def models(self) -> Sequence[ModelSpec]:
        """Models that have collections."""

    async def active(self) -> ModelSpec | None:
        """The model that serves, or None while nothing was activated."""

    async def activate(self, digest: str) -> None:
        """Let a model serve, in one step. Its collections must exist."""

    async def upsert(self, digest: str, kind: Kind, points: Sequence[Point]) -> None:
        """Store points with vector and payload, replacing those of the same ids."""

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
        """The nearest points, best first; those scoring below `min_score` are left out."""

    async def retrieve(
        self, digest: str, kind: Kind, ids: Sequence[str], *, with_vectors: bool = False
    ) -> dict[str, Point]:
        """Points by id; unknown ids are absent from the answer."""

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
        """Points in the order of their ids from `cursor` on, and the cursor of the next page or None."""

    async def count(self, digest: str, kind: Kind, where: Where = EVERYTHING) -> int:
        """How many points match, exactly."""

    async def facet(
        self, digest: str, kind: Kind, key: str, *, where: Where = EVERYTHING, limit: int = 1000
    ) -> list[tuple[str, int]]:
        """Values of a keyword field with their counts: most frequent first, then by value."""

    async def newest(self, digest: str, kind: Kind, key: str) -> int | None:
        """The largest value of an integer field, or None without points."""

    async def delete(self, digest: str, kind: Kind, where: Where) -> None:
        """Remove the points that match; `where` must restrict."""

    async def flush(self, digest: str, *kinds: Kind) -> None:
        """Return when everything written so far to these collections survives a power loss."""

    async def optimize(self, digest: str) -> None:
        """Build graphs and merge segments now; may take minutes, searches go on."""

    async def check(self) -> None:
        """Return quickly when the database answers, else raise `Unavailable`."""

    async def close(self) -> None:
        """Give everything back."""
