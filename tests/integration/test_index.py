"""One suite for every adapter of the index port: they must behave the same."""

from __future__ import annotations

import asyncio
import math
import os
import random
import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from qdrant_client import AsyncQdrantClient

from services.runtime.errors import NotReady, Unavailable
from services.search.index.edge import EdgeIndex
from services.search.index.port import (
    AnyOf,
    Between,
    Condition,
    IdIn,
    Index,
    Kind,
    Metric,
    ModelSpec,
    Point,
    Where,
)
from services.search.index.server import ServerIndex, connect
from tests.fakes.ram_disk import ram_folder

pytestmark = [
    # The local mode of qdrant-client, our double of a server, says so for every payload index.
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning"),
    pytest.mark.filterwarnings("ignore:Local mode performs exact:UserWarning"),
]
DIMENSION = 8


def a_model(metric: Metric = Metric.COSINE, dimension: int = DIMENSION) -> ModelSpec:
    return ModelSpec("sha256:" + uuid.uuid4().hex * 2, dimension, metric)


@pytest.fixture(
    params=["edge", "server_double", pytest.param("server", marks=pytest.mark.qdrant)],
)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "server" and not os.environ.get("INSITU_TEST_QDRANT_URL"):
        pytest.skip("INSITU_TEST_QDRANT_URL names no Qdrant server")
    return str(request.param)


@pytest.fixture
def folder() -> Iterator[Path]:
    with ram_folder() as made:
        yield made


@pytest_asyncio.fixture
async def index(engine: str, folder: Path) -> AsyncIterator[Index]:
    opened: Index
    if engine == "edge":
        opened = EdgeIndex(folder / "index")
    elif engine == "server_double":
        opened = ServerIndex(AsyncQdrantClient(":memory:"))
    else:
        client = connect(
            os.environ["INSITU_TEST_QDRANT_URL"], api_key=os.environ.get("INSITU_TEST_QDRANT_API_KEY", "")
        )
        for collection in (await client.get_collections()).collections:
            if collection.name.startswith("insitu_"):
                await client.delete_collection(collection.name)
        opened = ServerIndex(client)
    yield opened
    await opened.close()


def points(count: int, *, seed: int = 0, dimension: int = DIMENSION) -> list[Point]:
    draw = random.Random(seed)
    return [
        Point(
            id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{seed}/{number}")),
            payload={
                "product_id": f"p{number}",
                "category": f"c{number % 3}",
                "price": float(number) if number % 2 else None,
                "tags": [f"color\x1f{'red' if number % 5 == 0 else 'blue'}", 'a.b [c]\x1f\u00e9 "x"'],
                "attribute_names": ["color", "a.b [c]"],
                "ordinal": number % 2,
                "stored_at": 1_000 + number,
                "record": {"title": "Stuhl \u201ex\u201c", "nested": {"list": [1, 2.5, None]}},
            },
            vector=[draw.gauss(0, 1) for _ in range(dimension)],
        )
        for number in range(count)
    ]


@pytest_asyncio.fixture
async def model(index: Index) -> ModelSpec:
    spec = a_model()
    await index.ensure(spec)
    return spec


def cosine(a: Point, query: list[float]) -> float:
    assert a.vector is not None
    return sum(x * y for x, y in zip(a.vector, query, strict=True)) / (
        math.hypot(*a.vector) * math.hypot(*query)
    )


QUERY = [1.0, -0.5, 0.25, 0.0, 0.0, 2.0, -1.0, 0.5]


async def test_search_ranks_by_cosine_similarity_and_returns_whole_payloads(
    index: Index, model: ModelSpec
) -> None:
    stored = points(200)
    await index.upsert(model.digest, Kind.PRODUCTS, stored)
    found = await index.search(model.digest, Kind.PRODUCTS, QUERY, limit=20)
    best = sorted(stored, key=lambda point: -cosine(point, QUERY))[:20]
    assert [hit.id for hit in found] == [point.id for point in best]
    assert [hit.score for hit in found] == pytest.approx([cosine(p, QUERY) for p in best], abs=1e-5)
    assert found[0].payload["record"] == best[0].payload["record"]


async def test_euclidean_scores_are_negated_distances(index: Index) -> None:
    spec = a_model(Metric.EUCLIDEAN)
    await index.ensure(spec)
    stored = points(50)
    await index.upsert(spec.digest, Kind.REGIONS, stored)
    expected = sorted((-math.dist(point.vector or (), QUERY) for point in stored), reverse=True)
    found = await index.search(spec.digest, Kind.REGIONS, QUERY, limit=50)
    assert [hit.score for hit in found] == pytest.approx(expected, abs=1e-4)
    cut = (expected[9] + expected[10]) / 2
    assert len(await index.search(spec.digest, Kind.REGIONS, QUERY, limit=50, min_score=cut)) == 10


async def test_score_cut_off_leaves_out_what_scores_below(index: Index, model: ModelSpec) -> None:
    stored = points(100)
    await index.upsert(model.digest, Kind.PRODUCTS, stored)
    found = await index.search(model.digest, Kind.PRODUCTS, QUERY, limit=100, min_score=0.3)
    assert len(found) == sum(cosine(point, QUERY) >= 0.3 for point in stored)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Where((AnyOf("category", ("c1",)),)), {n for n in range(60) if n % 3 == 1}),
        (Where((AnyOf("category", ("c1", "c2")),)), {n for n in range(60) if n % 3 != 0}),
        (Where((AnyOf("tags", ("color\x1fred",)),)), {n for n in range(60) if n % 5 == 0}),
        (Where((AnyOf("tags", ('a.b [c]\x1f\u00e9 "x"',)),)), set(range(60))),
        (Where((AnyOf("tags", ("unknown\x1fred",)),)), set()),
        (Where((Between("price", 10, 20),)), {n for n in range(10, 21) if n % 2}),
        (Where((Between("price", 55, None),)), {55, 57, 59}),
        (Where((Between("price", None, 3),)), {1, 3}),
        (Where((AnyOf("ordinal", (0,)),)), {n for n in range(60) if n % 2 == 0}),
        (Where((), (AnyOf("product_id", ("p1", "p2")),)), set(range(60)) - {1, 2}),
        (
            Where((AnyOf("category", ("c0",)), AnyOf("tags", ("color\x1fred",)))),
            {n for n in range(60) if n % 15 == 0},
        ),
        (
            Where((AnyOf("category", ("c0",)),), (AnyOf("ordinal", (1,)),)),
            {n for n in range(60) if n % 6 == 0},
        ),
        (Where((IdIn((points(60)[7].id, str(uuid.uuid4()))),)), {7}),
        (Where((), (IdIn((points(60)[7].id,)),)), set(range(60)) - {7}),
    ],
)
async def test_filters_agree_in_search_scroll_and_count(
    index: Index, model: ModelSpec, where: Where, expected: set[int]
) -> None:
    await index.upsert(model.digest, Kind.PRODUCTS, points(60))
    wanted = {f"p{number}" for number in expected}
    found = await index.search(model.digest, Kind.PRODUCTS, QUERY, where=where, limit=100)
    assert {hit.payload["product_id"] for hit in found} == wanted
    listed, following = await index.scroll(model.digest, Kind.PRODUCTS, where=where, limit=100)
    assert {point.payload["product_id"] for point in listed} == wanted
    assert following is None
    assert await index.count(model.digest, Kind.PRODUCTS, where) == len(wanted)


async def test_upsert_replaces_vector_and_payload_of_the_same_id(index: Index, model: ModelSpec) -> None:
    first, *_ = points(1)
    await index.upsert(model.digest, Kind.SCENES, [first])
    await index.upsert(model.digest, Kind.SCENES, [Point(first.id, {"scene_id": "s"}, [1.0] + [0.0] * 7)])
    stored = await index.retrieve(model.digest, Kind.SCENES, [first.id], with_vectors=True)
    assert await index.count(model.digest, Kind.SCENES) == 1
    assert dict(stored[first.id].payload) == {"scene_id": "s"}
    assert list(stored[first.id].vector or ()) == [1.0] + [0.0] * 7


async def test_retrieve_leaves_out_unknown_ids_and_vectors_not_asked_for(
    index: Index, model: ModelSpec
) -> None:
    stored = points(3)
    await index.upsert(model.digest, Kind.PRODUCTS, stored)
    found = await index.retrieve(model.digest, Kind.PRODUCTS, [stored[1].id, str(uuid.uuid4())])
    assert list(found) == [stored[1].id]
    assert found[stored[1].id].vector is None
    assert found[stored[1].id].payload["product_id"] == "p1"


async def test_scroll_pages_through_everything_once_in_id_order(index: Index, model: ModelSpec) -> None:
    stored = points(25)
    await index.upsert(model.digest, Kind.PRODUCTS, stored)
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = await index.scroll(model.digest, Kind.PRODUCTS, limit=10, cursor=cursor)
        seen += [point.id for point in page]
        if cursor is None:
            break
    assert seen == sorted(point.id for point in stored)


async def test_facet_counts_values_most_frequent_first(index: Index, model: ModelSpec) -> None:
    await index.upsert(model.digest, Kind.PRODUCTS, points(10))
    assert await index.facet(model.digest, Kind.PRODUCTS, "category") == [("c0", 4), ("c1", 3), ("c2", 3)]
    even = Where((AnyOf("ordinal", (0,)),))
    assert await index.facet(model.digest, Kind.PRODUCTS, "category", where=even) == [
        ("c0", 2),
        ("c1", 1),
        ("c2", 2),
    ] or await index.facet(model.digest, Kind.PRODUCTS, "category", where=even) == [
        ("c0", 2),
        ("c2", 2),
        ("c1", 1),
    ]
    assert dict(await index.facet(model.digest, Kind.PRODUCTS, "attribute_names")) == {
        "color": 10,
        "a.b [c]": 10,
    }


async def test_newest_is_the_largest_value_or_none(index: Index, model: ModelSpec) -> None:
    assert await index.newest(model.digest, Kind.PRODUCTS, "stored_at") is None
    await index.upsert(model.digest, Kind.PRODUCTS, points(10))
    assert await index.newest(model.digest, Kind.PRODUCTS, "stored_at") == 1_009


async def test_delete_removes_what_matches_and_refuses_to_remove_everything(
    index: Index, model: ModelSpec
) -> None:
    await index.upsert(model.digest, Kind.PRODUCTS, points(9))
    await index.delete(model.digest, Kind.PRODUCTS, Where((AnyOf("category", ("c0",)),)))
    assert await index.count(model.digest, Kind.PRODUCTS) == 6
    with pytest.raises(ValueError, match="restricted"):
        await index.delete(model.digest, Kind.PRODUCTS, Where())


async def test_models_are_kept_apart_and_one_switch_changes_who_serves(index: Index) -> None:
    old, new = a_model(), a_model(dimension=4)
    assert await index.active() is None
    await index.ensure(old)
    await index.upsert(old.digest, Kind.PRODUCTS, points(3))
    await index.activate(old.digest)
    assert await index.active() == old
    await index.ensure(new)
    await index.upsert(new.digest, Kind.PRODUCTS, points(5, dimension=4))
    assert await index.active() == old
    await index.activate(new.digest)
    assert await index.active() == new
    assert set(await index.models()) == {old, new}
    assert await index.count(old.digest, Kind.PRODUCTS) == 3


async def test_ensure_is_idempotent_and_refuses_another_shape(index: Index, model: ModelSpec) -> None:
    await index.upsert(model.digest, Kind.PRODUCTS, points(2))
    await index.ensure(model)
    assert await index.count(model.digest, Kind.PRODUCTS) == 2
    for other in (
        ModelSpec(model.digest, 16, model.metric),
        ModelSpec(model.digest, model.dimension, Metric.EUCLIDEAN),
    ):
        with pytest.raises(NotReady, match="dimensions"):
            await index.ensure(other)


async def test_activating_a_model_that_was_never_imported_is_not_ready(index: Index) -> None:
    with pytest.raises((NotReady, ValueError)):
        await index.activate(a_model().digest)
    assert await index.active() is None


async def test_adapters_agree_on_random_calls(folder: Path) -> None:
    """The same calls on both engines give the same answers."""
    edge, double = EdgeIndex(folder / "index"), ServerIndex(AsyncQdrantClient(":memory:"))
    spec = a_model()
    draw = random.Random(7)
    stored = points(300, seed=3)
    engines: tuple[Index, Index] = (edge, double)
    for index in engines:
        await index.ensure(spec)
        await index.upsert(spec.digest, Kind.PRODUCTS, stored)
    for _ in range(60):
        query = [draw.gauss(0, 1) for _ in range(DIMENSION)]
        conditions: list[Condition] = [
            AnyOf("category", tuple(draw.sample(["c0", "c1", "c2", "c9"], 2))),
            Between("price", draw.choice([None, 20]), draw.choice([None, 200])),
            AnyOf("tags", ("color\x1fred",)),
            AnyOf("ordinal", (draw.randrange(2),)),
        ]
        must = tuple(draw.sample(conditions, draw.randrange(3)))
        where = Where(must, (AnyOf("product_id", (f"p{draw.randrange(300)}",)),))
        limit, min_score = draw.randrange(1, 40), draw.choice([None, 0.0, 0.5])
        one, two = [
            await index.search(
                spec.digest, Kind.PRODUCTS, query, where=where, limit=limit, min_score=min_score
            )
            for index in engines
        ]
        assert [hit.id for hit in one] == [hit.id for hit in two]
        assert [hit.score for hit in one] == pytest.approx([hit.score for hit in two], abs=1e-5)
        assert await edge.count(spec.digest, Kind.PRODUCTS, where) == await double.count(
            spec.digest, Kind.PRODUCTS, where
        )
    await edge.close()
    await double.close()


# --- The embedded engine alone ---------------------------------------------------


async def test_edge_keeps_everything_across_a_restart(folder: Path) -> None:
    spec = a_model()
    first = EdgeIndex(folder)
    await first.ensure(spec)
    await first.upsert(spec.digest, Kind.PRODUCTS, points(20))
    await first.activate(spec.digest)
    await first.close()
    second = EdgeIndex(folder)
    assert await second.active() == spec
    assert await second.count(spec.digest, Kind.PRODUCTS) == 20
    await second.close()


OPENER = """
import sys
from pathlib import Path
from services.search.index.edge import EdgeIndex
EdgeIndex(Path(sys.argv[1]))
"""


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, timeout=60)


async def test_second_process_on_the_same_folder_says_so_and_exits(folder: Path) -> None:
    index = EdgeIndex(folder)
    second = await asyncio.to_thread(python, OPENER, str(folder))
    await index.close()
    assert second.returncode == 1
    assert f"Another process (pid {os.getpid()}) uses the index" in second.stderr
    assert "Traceback" not in second.stderr


KILLED_WRITER = """
import asyncio, os, sys
from pathlib import Path
from services.search.index.edge import EdgeIndex
from services.search.index.port import Kind, Metric, ModelSpec, Point
import uuid
async def main():
    index = EdgeIndex(Path(sys.argv[1]))
    spec = ModelSpec("sha256:" + "ab" * 32, 8, Metric.COSINE)
    await index.ensure(spec)
    await index.activate(spec.digest)
    for batch in range(5):
        ids = [str(uuid.UUID(int=batch * 64 + n + 1)) for n in range(64)]
        rows = [Point(each, {"product_id": "x"}, [1.0] * 8) for each in ids]
        await index.upsert(spec.digest, Kind.PRODUCTS, rows)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""


async def test_edge_loses_no_acknowledged_point_to_kill_9(folder: Path) -> None:
    await asyncio.to_thread(python, KILLED_WRITER, str(folder))
    index = EdgeIndex(folder)
    active = await index.active()
    assert active is not None
    assert await index.count(active.digest, Kind.PRODUCTS) == 320
    await index.close()


async def test_edge_survives_a_power_loss_with_nothing_but_its_synced_log(folder: Path) -> None:
    """Segments as of the engine's last flush, and the log as of ours: what a dead machine leaves behind."""
    spec = a_model()
    index = EdgeIndex(folder / "a")
    await index.ensure(spec)
    await index.activate(spec.digest)
    await asyncio.to_thread(shutil.copytree, folder / "a", folder / "b")
    for start in range(0, 200, 50):
        await index.upsert(spec.digest, Kind.PRODUCTS, points(200)[start : start + 50])
    await index.delete(spec.digest, Kind.PRODUCTS, Where((AnyOf("category", ("c0",)),)))
    await index.flush(spec.digest, Kind.PRODUCTS)
    log = Path(spec.hex[:16]) / "products" / "wal"
    await asyncio.to_thread(shutil.rmtree, folder / "b" / log)
    await asyncio.to_thread(shutil.copytree, folder / "a" / log, folder / "b" / log)
    after = EdgeIndex(folder / "b")
    assert await after.count(spec.digest, Kind.PRODUCTS) == sum(n % 3 != 0 for n in range(200))
    found = await after.search(spec.digest, Kind.PRODUCTS, QUERY, limit=10)
    assert found == await index.search(spec.digest, Kind.PRODUCTS, QUERY, limit=10)
    await after.close()
    await index.close()


async def test_edge_with_a_damaged_index_refuses_to_open_in_plain_words(folder: Path) -> None:
    (folder / "CURRENT").write_text("sha256:" + "00" * 32)
    with pytest.raises(SystemExit, match="damaged"):
        EdgeIndex(folder)


# --- A server that is not there ---------------------------------------------------


async def test_server_that_refuses_connections_is_unavailable_at_once(unused_tcp_port: int) -> None:
    index = ServerIndex(connect(f"http://127.0.0.1:{unused_tcp_port}"))
    with pytest.raises(Unavailable) as caught:
        await index.check()
    assert caught.value.reason == "INDEX_UNREACHABLE"
    await index.close()
