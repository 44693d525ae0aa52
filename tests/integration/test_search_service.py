"""Both queries over real gRPC, with the embedded engine and the colour embedder."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PIL import Image

from insitu.search.v1 import catalog_pb2, search_pb2
from services.imaging import Box
from services.runtime.errors import InvalidInput, NotFound, NotReady, Unavailable
from services.search.client import (
    EmbeddingQuery,
    PhotoQuery,
    ProductFilter,
    ProductQuery,
    Query,
    RegionQuery,
    SceneFilter,
)
from services.search.page_tokens import page_token
from tests.fakes.colored_catalog import COLORS, LAMP_BOX, SOFA_BOX, jpeg, picture, product, room
from tests.fakes.embedder import DIMENSION, FakeEmbedder, fake_embedder
from tests.fakes.search_rig import SearchRig, search_rig

# One catalogue for all tests that only read.
pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOM = room({SOFA_BOX: COLORS["red"], LAMP_BOX: COLORS["cyan"]}, seed=77)
RED = PhotoQuery(ROOM, SOFA_BOX)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig() -> AsyncIterator[SearchRig]:
    async with search_rig() as started:
        outcomes = await started.import_all()
        assert {outcome.status.value for outcome in outcomes} == {"stored"}
        yield started


# --- Query 1 -----------------------------------------------------------------------


async def test_box_round_a_red_sofa_finds_red_products_first(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_products, RED)
    assert [hit.product.product_id for hit in found.hits[:2]] in (
        ["red-sofa", "red-lamp"],
        ["red-lamp", "red-sofa"],
    )
    assert found.hits[0].score > 0.99
    assert len(found.hits) == 6
    assert found.next_page_token == ""
    assert not found.low_confidence
    assert found.query_box == SOFA_BOX
    assert found.model_digest == rig.embedder.digest


async def test_another_box_in_the_same_photo_finds_something_else(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_products, PhotoQuery(ROOM, LAMP_BOX), page_size=1)
    assert found.hits[0].product.product_id == "cyan-lamp"


async def test_hits_carry_the_whole_product_record(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_products, PhotoQuery(ROOM, LAMP_BOX), page_size=1)
    hit = found.hits[0].product
    assert (hit.title, hit.category, hit.price, hit.currency) == ("cyan lamp", "lamp", 80, "EUR")
    assert hit.attributes == {"color": "cyan", "material": "glass"}
    assert hit.url == "https://shop.example/cyan-lamp"
    assert [(image.width_px, image.height_px) for image in hit.images] == [(96, 96)]


async def test_several_images_of_a_product_are_one_hit_naming_the_closest(rig: SearchRig) -> None:
    stored = await rig.run(rig.client.get_product, "red-sofa")
    assert len(stored.images) == 2
    second = picture(COLORS["red"], seed=100 * sum(b"red-sofa") + 1)
    found = await rig.run(rig.client.search_products, PhotoQuery(second))
    hits = [hit for hit in found.hits if hit.product.product_id == "red-sofa"]
    assert len(hits) == 1
    assert hits[0].closest_image_id == stored.images[1].image_id
    assert hits[0].score == pytest.approx(1.0, abs=1e-3)


async def test_similar_products_leave_the_product_itself_out(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_products, ProductQuery("red-sofa"))
    ids = [hit.product.product_id for hit in found.hits]
    assert ids[0] == "red-lamp"
    assert "red-sofa" not in ids
    assert found.query_box is None


async def test_timing_says_where_the_time_went(rig: SearchRig) -> None:
    timing = (await rig.run(rig.client.search_products, RED)).timing
    assert timing.decode_ms == 1.0
    assert timing.forward_ms == 2.0
    assert 0 < timing.embed_ms < timing.total_ms
    assert 0 < timing.index_ms < timing.total_ms
    assert (await rig.run(rig.client.search_products, ProductQuery("red-sofa"))).timing.embed_ms == 0


# --- Query 2 -----------------------------------------------------------------------


async def test_rooms_of_a_product_show_it_first_with_its_box(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"))
    assert {hit.scene.scene_id for hit in found.hits[:2]} == {"living", "den"}
    living = next(hit for hit in found.hits if hit.scene.scene_id == "living")
    assert living.regions[0].region.box == SOFA_BOX
    assert living.regions[0].shows_query_product
    assert living.score == living.regions[0].score
    den = next(hit for hit in found.hits if hit.scene.scene_id == "den")
    assert den.regions[0].region.box == SOFA_BOX
    assert not den.regions[0].shows_query_product
    assert living.scene.attributes == {"room": "Living Room"}
    assert living.scene.regions == ()


async def test_a_products_own_rooms_can_be_asked_for_alone(rig: SearchRig) -> None:
    where = SceneFilter(product_ids=["red-sofa"])
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"), filter=where)
    assert [hit.scene.scene_id for hit in found.hits] == ["living"]
    assert [region.shows_query_product for region in found.hits[0].regions] == [True]


async def test_scenes_come_with_every_matching_box_best_first_up_to_the_cap(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"))
    assert all(len(hit.regions) == 2 for hit in found.hits)
    assert all(hit.regions[0].score >= hit.regions[1].score for hit in found.hits)
    capped = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"), max_regions_per_scene=1)
    assert [hit.regions for hit in capped.hits] == [hit.regions[:1] for hit in found.hits]


async def test_score_cut_off_applies_to_regions(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"), min_score=0.95)
    assert {hit.scene.scene_id for hit in found.hits} == {"living", "den"}
    assert all(len(hit.regions) == 1 for hit in found.hits)


async def test_query_by_region_leaves_out_its_own_scene(rig: SearchRig) -> None:
    living = await rig.run(rig.client.get_scene, "living")
    sofa = next(region for region in living.regions if region.product_id == "red-sofa")
    assert sofa.category == "sofa"
    found = await rig.run(rig.client.search_scenes, RegionQuery(sofa.region_id))
    assert found.hits[0].scene.scene_id == "den"
    assert "living" not in [hit.scene.scene_id for hit in found.hits]
    products = await rig.run(rig.client.search_products, RegionQuery(sofa.region_id), page_size=2)
    assert {hit.product.product_id for hit in products.hits} == {"red-sofa", "red-lamp"}


async def test_a_photo_asks_for_scenes_too(rig: SearchRig) -> None:
    found = await rig.run(rig.client.search_scenes, RED)
    assert {hit.scene.scene_id for hit in found.hits[:2]} == {"living", "den"}


# --- Filters -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (ProductFilter(categories=["lamp"]), {"red-lamp", "cyan-lamp", "orange-lamp"}),
        (ProductFilter(categories=["lamp", "sofa"], price_min=80), {"cyan-lamp", "red-sofa", "blue-sofa"}),
        (ProductFilter(price_min=20, price_max=80), {"red-lamp", "cyan-lamp", "orange-lamp"}),
        (ProductFilter(attributes={"material": ["paper"]}), {"red-lamp", "orange-lamp"}),
        (
            ProductFilter(attributes={"material": ["paper", "glass"], "color": ["cyan", "red"]}),
            {"red-lamp", "cyan-lamp"},
        ),
        (ProductFilter(attributes={"unknown": ["x"]}), set()),
        (ProductFilter(categories=["no such"]), set()),
    ],
)
async def test_product_filters(rig: SearchRig, where: ProductFilter, expected: set[str]) -> None:
    found = await rig.run(rig.client.search_products, RED, filter=where)
    assert {hit.product.product_id for hit in found.hits} == expected


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (SceneFilter(categories=["lamp"]), {"living", "den"}),
        (SceneFilter(attributes={"room": ["Den", "Office"]}), {"den", "office"}),
        (SceneFilter(attributes={"roof": ["Den"]}), set()),
        (SceneFilter(exclude_proposed=True), {"living", "den", "bedroom", "office"}),
        (SceneFilter(product_ids=["no-such-product"]), set()),
    ],
)
async def test_scene_filters(rig: SearchRig, where: SceneFilter, expected: set[str]) -> None:
    found = await rig.run(rig.client.search_scenes, RED, filter=where)
    assert {hit.scene.scene_id for hit in found.hits} == expected


# --- Pages -------------------------------------------------------------------------


async def test_pages_cover_the_same_ranking_without_gaps_or_repeats(rig: SearchRig) -> None:
    whole = [hit.product.product_id for hit in (await rig.run(rig.client.search_products, RED)).hits]
    paged: list[str] = []
    token = ""
    while True:
        page = await rig.run(rig.client.search_products, RED, page_size=2, page_token=token)
        paged += [hit.product.product_id for hit in page.hits]
        token = page.next_page_token
        if not token:
            break
    assert paged == whole


async def test_scene_pages_cover_the_same_ranking(rig: SearchRig) -> None:
    query = ProductQuery("red-sofa")
    whole = [hit.scene.scene_id for hit in (await rig.run(rig.client.search_scenes, query)).hits]
    first = await rig.run(rig.client.search_scenes, query, page_size=3)
    second = await rig.run(rig.client.search_scenes, query, page_size=3, page_token=first.next_page_token)
    assert [hit.scene.scene_id for hit in first.hits + second.hits] == whole
    assert second.next_page_token == ""


async def test_negative_page_size_is_refused(rig: SearchRig) -> None:  # BATTERY 56
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, RED, page_size=-1)
    assert caught.value.field == "page_size"


async def test_huge_page_size_is_clamped(rig: SearchRig) -> None:  # BATTERY 57
    found = await rig.run(rig.client.search_products, RED, page_size=1_000_000_000)
    assert len(found.hits) == 6


@pytest.mark.parametrize("forge", ["x", "AAAAAAAAAAAAAAAAAAAA", "%%%", "\u00e9", "A" * 5000])
async def test_forged_page_token_is_refused(rig: SearchRig, forge: str) -> None:  # BATTERY 58
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, RED, page_token=forge)
    assert (caught.value.field, caught.value.reason) == ("page_token", "BAD_PAGE_TOKEN")


@pytest.mark.parametrize("position", ["1000", "9" * 30, "-5", "\u00b2", "x"])
async def test_token_with_a_position_of_the_callers_own_is_refused(rig: SearchRig, position: str) -> None:
    request = search_pb2.SearchProductsRequest(product_id="red-sofa")
    with pytest.raises(InvalidInput) as caught:
        await rig.run(
            rig.client.search_products,
            ProductQuery("red-sofa"),
            page_token=page_token(request, position),
            page_size=0,
        )
    assert caught.value.reason == "BAD_PAGE_TOKEN"
    listing = catalog_pb2.ListProductsRequest(page_size=50)
    with pytest.raises(InvalidInput):
        await rig.run(rig.client.list_products, page_token=page_token(listing, position))


async def test_page_token_of_another_query_is_refused(rig: SearchRig) -> None:  # BATTERY 59
    token = (await rig.run(rig.client.search_products, RED, page_size=1)).next_page_token
    assert token
    for other in (
        rig.run(rig.client.search_products, ProductQuery("red-sofa"), page_token=token),
        rig.run(rig.client.search_products, RED, min_score=0.1, page_token=token),
        rig.run(rig.client.search_scenes, RED, page_token=token),
        rig.run(rig.client.list_products, page_token=token),
    ):
        with pytest.raises(InvalidInput) as caught:
            await other
        assert caught.value.reason == "BAD_PAGE_TOKEN"


# --- Refusals ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        (Box(100, 20, 50, 80), "BAD_BOX"),  # BATTERY 52
        (Box(1000, 1000, 1100, 1100), "BOX_OUTSIDE"),  # 53
        (Box(math.nan, 0, 50, 50), "BAD_BOX"),  # 54
        (Box(0, 0, math.inf, 50), "BAD_BOX"),
        (Box(10, 10, 15, 15), "BOX_TOO_SMALL"),  # 55
    ],
)
async def test_unusable_box_is_refused_naming_the_field(rig: SearchRig, box: Box, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, PhotoQuery(ROOM, box))
    assert (caught.value.field, caught.value.reason) == ("image.box", reason)


async def test_box_partly_outside_is_clipped(rig: SearchRig) -> None:  # BATTERY 53
    found = await rig.run(rig.client.search_products, PhotoQuery(ROOM, Box(-50, 100, 140, 500)))
    assert found.query_box == Box(0, 100, 140, 240)


@pytest.mark.parametrize(
    ("image", "reason"), [(b"", "EMPTY"), (b"hello", "NOT_AN_IMAGE"), (ROOM[: len(ROOM) // 2], "CORRUPT")]
)
async def test_unusable_photo_is_refused_naming_the_field(rig: SearchRig, image: bytes, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, PhotoQuery(image))
    assert (caught.value.field, caught.value.reason) == ("image.image", reason)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (ProductQuery("no such"), "product_id"),
        (ProductQuery("x" * 10_000), "product_id"),
        (RegionQuery("no such"), "region_id"),
        (RegionQuery("3d6b0f8a-5a5e-5a8f-9a7e-1c2b3d4e5f60"), "region_id"),
    ],
)
async def test_unknown_ids_are_not_found(rig: SearchRig, query: Query, field: str) -> None:  # BATTERY 60
    for search in (rig.client.search_products, rig.client.search_scenes):
        with pytest.raises(NotFound) as caught:
            await rig.run(search, query)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "digest", "reason"),
    [
        ([1.0] * (DIMENSION + 1), "", "BAD_DIMENSION"),
        ([], "", "BAD_EMBEDDING"),
        ([0.0] * DIMENSION, "", "BAD_EMBEDDING"),
        ([math.nan] + [1.0] * (DIMENSION - 1), "", "BAD_EMBEDDING"),
        ([math.inf] + [1.0] * (DIMENSION - 1), "", "BAD_EMBEDDING"),
        ([1.0] * DIMENSION, "sha256:" + "00" * 32, "MODEL_MISMATCH"),
    ],
)
async def test_unusable_embedding_is_refused(
    rig: SearchRig, values: list[float], digest: str, reason: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, EmbeddingQuery(values, digest))
    assert caught.value.reason == reason


async def test_raw_embedding_finds_what_it_points_to(rig: SearchRig) -> None:
    red = [channel / 255 - 0.5 for channel in COLORS["red"]] * 4
    found = await rig.run(rig.client.search_products, EmbeddingQuery(red, rig.embedder.digest), page_size=2)
    assert {hit.product.product_id for hit in found.hits} == {"red-sofa", "red-lamp"}


@pytest.mark.parametrize(
    ("where", "field"),
    [
        (ProductFilter(price_min=-1), "filter.price_min"),
        (ProductFilter(price_max=math.nan), "filter.price_max"),
        (ProductFilter(price_min=5, price_max=4), "filter.price_max"),
        (ProductFilter(categories=["x"] * 51), "filter.categories"),
        (ProductFilter(attributes={"": ["x"]}), "filter.attributes[0].name"),
        (ProductFilter(attributes={"color": []}), "filter.attributes[0].values"),
        (ProductFilter(categories=["x" * 2_001]), "filter.categories"),
        (ProductFilter(attributes={"color": ["x" * 2_001]}), "filter.attributes[0].values"),
    ],
)
async def test_unusable_filter_is_refused_naming_the_field(
    rig: SearchRig, where: ProductFilter, field: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_products, RED, filter=where)
    assert caught.value.field == field


async def test_unknown_attribute_finds_nothing(rig: SearchRig) -> None:  # BATTERY 61
    where = {"attributes": {"no such": ["red"]}}
    assert not (await rig.run(rig.client.search_products, RED, filter=ProductFilter(**where))).hits
    assert not (await rig.run(rig.client.search_scenes, RED, filter=SceneFilter(**where))).hits


@pytest.mark.parametrize("product_id", ["", "a\nb", "x" * 257])
async def test_scenes_of_an_impossible_product_are_refused(rig: SearchRig, product_id: str) -> None:
    where = SceneFilter(product_ids=["red-sofa", product_id])
    with pytest.raises(InvalidInput) as caught:
        await rig.run(rig.client.search_scenes, RED, filter=where)
    assert caught.value.field == "filter.product_ids[1]"


async def test_a_blank_wall_is_answered_with_low_confidence(rig: SearchRig) -> None:  # BATTERY 49
    blank = jpeg(Image.new("RGB", (200, 200), "white"))
    found = await rig.run(rig.client.search_products, PhotoQuery(blank))
    assert found.low_confidence
    assert found.hits


# --- States of the system ------------------------------------------------------------


async def test_empty_catalogue_says_what_to_run() -> None:  # BATTERY 90
    async with search_rig() as empty:
        for query in (RED, ProductQuery("x"), RegionQuery("x"), EmbeddingQuery([1.0] * DIMENSION)):
            with pytest.raises(NotReady) as caught:
                await empty.run(empty.client.search_products, query)
            assert "insitu index FOLDER" in caught.value.message
        facts = await empty.run(empty.client.facts)
        assert (facts.product_count, facts.model_digest, facts.indexed_at) == (0, "", None)
        assert await empty.run(empty.client.list_products)


async def test_embedder_of_another_model_is_not_ready_and_queries_by_product_still_work() -> None:
    other = FakeEmbedder()
    async with search_rig(embedder=other) as started:
        await started.import_all()
        other.digest = "sha256:" + "12" * 32
        with pytest.raises(NotReady) as caught:
            await started.run(started.client.search_products, RED)
        assert caught.value.reason == "MODEL_MISMATCH"
        assert "insitu index FOLDER" in caught.value.message
        assert (await started.run(started.client.search_scenes, ProductQuery("red-sofa"))).hits


async def test_embedder_down_is_unavailable_quickly_while_query_2_works_and_recovers(
    unused_tcp_port: int,
) -> None:  # BATTERY 92
    async with search_rig(embedder_address=f"127.0.0.1:{unused_tcp_port}") as started:
        servicer = FakeEmbedder()
        async with fake_embedder(servicer, unused_tcp_port):
            deadline = time.monotonic() + 10
            while True:
                try:
                    await started.import_all()
                    break
                except Unavailable:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.1)
        before = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await started.run(started.client.search_products, RED)
        assert time.monotonic() - before < 1
        assert caught.value.reason == "EMBEDDER_UNREACHABLE"
        assert (await started.run(started.client.search_scenes, ProductQuery("red-sofa"))).hits
        async with fake_embedder(servicer, unused_tcp_port):
            deadline = time.monotonic() + 10
            while True:
                try:
                    assert (await started.run(started.client.search_products, RED)).hits
                    break
                except Unavailable:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.1)


async def test_slow_embedder_is_unavailable_within_the_deadline() -> None:  # BATTERY 92
    slow = FakeEmbedder()
    async with search_rig(embedder=slow) as started:
        await started.import_all()
        slow.delay_s = 30
        before = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await started.run(started.client.search_products, RED, deadline_s=1.0)
        assert time.monotonic() - before < 1.0
        assert caught.value.reason == "EMBEDDER_TIMEOUT"


async def test_many_products_are_paged_up_to_a_thousand_hits_in_one_order() -> None:
    colors = list(COLORS)
    uploads = [product(f"p{number:04}", colors[number % 6]) for number in range(1_100)]
    async with search_rig() as started:
        await started.import_all(uploads, [], assume_new=True, window=128)
        seen: list[str] = []
        token = ""
        while True:
            page = await started.run(
                started.client.search_products, RED, page_size=100, page_token=token, deadline_s=30
            )
            seen += [hit.product.product_id for hit in page.hits]
            token = page.next_page_token
            if not token:
                break
        assert len(seen) == len(set(seen)) == 1_000
