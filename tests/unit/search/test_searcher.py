"""Grouping on top of an index that is a plain list: compared with grouping everything at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, cast

import pytest

from services.search.index.port import EVERYTHING, AnyOf, Found, Index, Kind, Metric, ModelSpec, Where
from services.search.searcher import Searcher

MODEL = ModelSpec("sha256:" + "0" * 64, 2, Metric.COSINE)


class ListIndex:
    """Searches a list by dot product, best first, in an order of its own among equals."""

    def __init__(self, points: list[tuple[str, str, tuple[float, float]]], key: str) -> None:
        self.points = points
        self.key = key
        self.limits: list[int] = []
        self.exact: list[bool] = []

    async def count(self, digest: str, kind: Kind) -> int:
        return len(self.points)

    async def search(
        self,
        digest: str,
        kind: Kind,
        vector: Sequence[float],
        *,
        where: Where,
        limit: int,
        min_score: float | None,
        exact: bool,
    ) -> list[Found]:
        self.limits.append(limit)
        self.exact.append(exact)
        allowed = [set(c.values) for c in where.must if isinstance(c, AnyOf) and c.key == self.key]
        hits = [
            Found(point_id, sum(a * b for a, b in zip(vector, values, strict=True)), {self.key: group})
            for point_id, group, values in self.points
            if all(group in groups for groups in allowed)
        ]
        hits = [hit for hit in hits if min_score is None or hit.score >= min_score]
        return sorted(hits, key=lambda hit: -hit.score)[:limit]


def some_points(groups: int, per_group: int, seed: int) -> list[tuple[str, str, tuple[float, float]]]:
    draw = random.Random(seed)
    return [
        (f"{group}/{number}", f"g{group}", (round(draw.random(), 2), round(draw.random(), 2)))
        for group in range(groups)
        for number in range(draw.randint(1, per_group))
    ]


def expected(points: Any, vectors: Any) -> list[str]:
    best: dict[str, tuple[float, str]] = {}
    for point_id, group, values in points:
        score = max(sum(a * b for a, b in zip(v, values, strict=True)) for v in vectors)
        best[group] = min(best.get(group, (9.0, "")), (-score, point_id))
    return [group for group, _ in sorted(best.items(), key=lambda entry: entry[1])]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("vectors", [[(1.0, 0.2)], [(1.0, 0.2), (0.1, 1.0)]])
async def test_pages_of_groups_agree_with_grouping_everything(
    seed: int, vectors: list[tuple[float, float]]
) -> None:
    points = some_points(groups=40, per_group=30, seed=seed)
    searcher = Searcher(cast(Index, ListIndex(points, "product_id")))
    found: list[str] = []
    offset, more = 0, True
    while more:
        page = await searcher.products(MODEL, vectors, EVERYTHING, None, offset, 7)
        found += [str(group[0].payload["product_id"]) for group in page.groups]
        offset, more = offset + 7, page.more
    assert found == expected(points, vectors)


async def test_one_crowded_group_does_not_hide_the_others() -> None:
    crowd = [(f"a/{number}", "crowd", (1.0, 0.0)) for number in range(1_000)]
    others = [(f"b/{number}", f"other{number}", (0.5, 0.0)) for number in range(3)]
    index = ListIndex(crowd + others, "product_id")
    page = await Searcher(cast(Index, index)).products(MODEL, [(1.0, 0.0)], EVERYTHING, None, 0, 4)
    assert [group[0].payload["product_id"] for group in page.groups] == [
        "crowd",
        "other0",
        "other1",
        "other2",
    ]
    assert index.limits == [64, 128, 256, 512, 1024]


async def test_scenes_come_with_all_their_regions_up_to_the_cap() -> None:
    points = some_points(groups=30, per_group=20, seed=5)
    sizes = {group: sum(1 for point in points if point[1] == group) for _, group, _ in points}
    searcher = Searcher(cast(Index, ListIndex(points, "scene_id")))
    page = await searcher.scenes(MODEL, [(1.0, 0.2)], EVERYTHING, None, 0, 10, 6)
    for group in page.groups:
        assert len(group) == min(6, sizes[str(group[0].payload["scene_id"])])
        assert list(group) == sorted(group, key=lambda hit: (-hit.score, hit.id))


async def test_score_cut_off_limits_groups_and_their_points() -> None:
    points = some_points(groups=30, per_group=20, seed=6)
    searcher = Searcher(cast(Index, ListIndex(points, "scene_id")))
    page = await searcher.scenes(MODEL, [(1.0, 0.2)], EVERYTHING, 0.9, 0, 100, 50)
    assert page.groups
    assert all(hit.score >= 0.9 for group in page.groups for hit in group)
    assert not page.more


@pytest.mark.parametrize(
    ("limit", "where", "exact"),
    [
        (1000, EVERYTHING, True),
        (10, EVERYTHING, False),
        (10, Where((AnyOf("product_id", ("g1",)),)), True),
    ],
)
async def test_small_collections_and_filtered_searches_are_exact(
    limit: int, where: Where, exact: bool
) -> None:
    index = ListIndex(some_points(20, 5, 1), "product_id")
    await Searcher(cast(Index, index), exact_search_limit=limit).products(
        MODEL, [(1.0, 0.0)], where, None, 0, 5
    )
    assert set(index.exact) == {exact}
