"""Ranking on top of the index: images collapse to products, regions group by scene.

Done here and not by the engine, so that every engine answers the same. More points are
fetched than groups are wanted, twice as many each time, until there are enough groups or
no more points. Equal scores are ordered by id.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from services.search.index.port import AnyOf, Found, Index, Kind, ModelSpec, Where

Vector = Sequence[float]
_FIRST_FETCH = 64
_COUNT_TTL_S = 5.0


@dataclass(frozen=True)
class Ranked:
    """One page of groups, each its points best first, and whether another page follows."""

    groups: tuple[tuple[Found, ...], ...]
    more: bool


class Searcher:
    """Nearest groups of points.

    Args:
        index: the vector database.
        exact_search_limit: collections up to this size, and all filtered searches, are searched exactly:
            the graph's filtered recall is too low, and exact search is fast below.
    """

    def __init__(self, index: Index, exact_search_limit: int = 50_000) -> None:
        self._index = index
        self._exact_search_limit = exact_search_limit
        self._counts: dict[tuple[str, Kind], tuple[float, int]] = {}

    async def products(
        self,
        model: ModelSpec,
        vectors: Sequence[Vector],
        where: Where,
        min_score: float | None,
        offset: int,
        size: int,
    ) -> Ranked:
        """Products by their closest image; each group holds the product's images found, closest first."""
        return await self._ranked(model, Kind.PRODUCTS, "product_id", vectors, where, min_score, offset, size)

    async def scenes(
        self,
        model: ModelSpec,
        vectors: Sequence[Vector],
        where: Where,
        min_score: float | None,
        offset: int,
        size: int,
        max_regions: int,
    ) -> Ranked:
        """Scenes by their closest region; each group holds at most `max_regions` regions, closest first."""
        page = await self._ranked(model, Kind.REGIONS, "scene_id", vectors, where, min_score, offset, size)
        if not page.groups or max_regions == 1:
            return Ranked(tuple(group[:1] for group in page.groups), page.more)
        scene_ids = tuple(str(group[0].payload["scene_id"]) for group in page.groups)
        inside = where & Where((AnyOf("scene_id", scene_ids),))
        limit = 2 * max_regions * len(scene_ids)
        while True:
            points, exhausted = await self._merged(model, Kind.REGIONS, vectors, inside, min_score, limit)
            groups = _grouped(points, "scene_id")
            enough = all(len(groups.get(scene_id, ())) >= max_regions for scene_id in scene_ids)
            if exhausted or enough:
                break
            limit *= 2
        # A region deleted between the two searches leaves its scene with what the first one saw.
        whole = (
            tuple(groups.get(scene_id, list(group))[:max_regions])
            for scene_id, group in zip(scene_ids, page.groups, strict=True)
        )
        return Ranked(tuple(whole), page.more)

    async def _ranked(
        self,
        model: ModelSpec,
        kind: Kind,
        key: str,
        vectors: Sequence[Vector],
        where: Where,
        min_score: float | None,
        offset: int,
        size: int,
    ) -> Ranked:
        wanted = offset + size + 1  # one more tells whether a page follows
        limit = max(_FIRST_FETCH, 2 * wanted)
        while True:
            points, exhausted = await self._merged(model, kind, vectors, where, min_score, limit)
            groups = list(_grouped(points, key).values())
            if exhausted or len(groups) >= wanted:
                break
            limit *= 2
        page = tuple(tuple(group) for group in groups[offset : offset + size])
        return Ranked(page, len(groups) >= wanted)

    async def _merged(
        self,
        model: ModelSpec,
        kind: Kind,
        vectors: Sequence[Vector],
        where: Where,
        min_score: float | None,
        limit: int,
    ) -> tuple[list[Found], bool]:
        """The best `limit` points by their highest score over all vectors, and whether there are no more.

        A point among the best `limit` overall is among the best `limit` of the vector that it owes its
        score to, so that merging the lists loses none.
        """
        exact = bool(where) or await self._count(model, kind) <= self._exact_search_limit
        lists = await asyncio.gather(
            *(
                self._index.search(
                    model.digest,
                    kind,
                    vector,
                    where=where,
                    limit=limit,
                    min_score=min_score,
                    exact=exact,
                )
                for vector in vectors
            )
        )
        best: dict[str, Found] = {}
        for hit in (hit for hits in lists for hit in hits):
            if hit.id not in best or hit.score > best[hit.id].score:
                best[hit.id] = hit
        merged = sorted(best.values(), key=lambda hit: (-hit.score, hit.id))
        return merged[:limit], all(len(hits) < limit for hits in lists)

    async def _count(self, model: ModelSpec, kind: Kind) -> int:
        now = time.monotonic()
        until, count = self._counts.get((model.digest, kind), (0.0, 0))
        if now >= until:
            count = await self._index.count(model.digest, kind)
            self._counts[model.digest, kind] = (now + _COUNT_TTL_S, count)
        return count


def _grouped(points: Sequence[Found], key: str) -> dict[str, list[Found]]:
    """Groups in the order of their best points; `points` must be sorted."""
    groups: dict[str, list[Found]] = defaultdict(list)
    for point in points:
        groups[str(point.payload[key])].append(point)
    return groups
