"""Importing, reading and removing over real gRPC, with the embedded engine and the colour embedder."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image
from qdrant_client import AsyncQdrantClient, models

from insitu.search.v1 import catalog_pb2, catalog_pb2_grpc
from services.imaging import Box, decode_image
from services.runtime.channel import open_channel
from services.runtime.config import ClientConfig
from services.runtime.errors import InsituError, InvalidInput, NotFound, NotReady, Unavailable
from services.search.client import (
    CatalogFacts,
    ImageFile,
    ImportOutcome,
    ImportStatus,
    PhotoQuery,
    Product,
    ProductQuery,
    ProductUpload,
    RegionBox,
    SceneFilter,
    SceneUpload,
    SearchClient,
)
from services.search.index.edge import EdgeIndex
from services.search.index.port import Metric, ModelSpec
from services.search.index.server import ServerIndex
from tests.conftest import REPOSITORY
from tests.fakes.colored_catalog import (
    COLORS,
    LAMP_BOX,
    PRODUCTS,
    ROOM_SIZE,
    SCENES,
    SOFA_BOX,
    file_of,
    jpeg,
    picture,
    product,
    room,
    scene,
)
from tests.fakes.embedder import FakeEmbedder, address, fake_embedder
from tests.fakes.ram_disk import ram_folder
from tests.fakes.search_rig import SearchRig, health_of, search_rig

SERVING, NOT_SERVING = 1, 2


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SearchRig]:
    async with search_rig() as started:
        yield started


@pytest.fixture
def folder() -> Iterator[Path]:
    with ram_folder() as made:
        yield made


def media_files(folder: Path) -> set[str]:
    return {"sha256:" + path.name for path in (folder / "media").rglob("*") if path.is_file()}


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


# --- Importing -----------------------------------------------------------------------


async def test_import_stores_everything_and_activates_the_first_model(rig: SearchRig) -> None:
    outcomes = await rig.import_all()
    assert [outcome.item_id for outcome in outcomes] == [
        *(upload.product.product_id for upload in PRODUCTS),
        *(upload.scene_id for upload in SCENES),
    ]
    assert {outcome.status for outcome in outcomes} == {ImportStatus.STORED}
    facts = await rig.run(rig.client.facts)
    assert (facts.product_count, facts.product_image_count) == (6, 7)
    assert (facts.scene_count, facts.region_count) == (4, 8)
    assert facts.categories == (("lamp", 3), ("sofa", 3))
    assert facts.attribute_names == ("color", "material")
    assert facts.model_digest == facts.embedder_model_digest == rig.embedder.digest
    assert (facts.dimension, facts.engine) == (12, "edge")
    assert facts.indexed_at is not None
    assert abs(facts.indexed_at.timestamp() - time.time()) < 60
    assert len(media_files(rig.folder)) == 7 + 4


async def test_same_import_twice_changes_nothing_and_embeds_nothing(rig: SearchRig) -> None:  # BATTERY 75
    await rig.import_all()
    before, crops = await rig.run(rig.client.facts), rig.embedder.embedded_crops
    outcomes = await rig.import_all()
    assert {outcome.status for outcome in outcomes} == {ImportStatus.UNCHANGED}
    assert sum(outcome.sent_bytes for outcome in outcomes) == 0
    assert rig.embedder.embedded_crops == crops
    assert await rig.run(rig.client.facts) == before
    again = await rig.import_all(assume_new=True)
    assert {outcome.status for outcome in again} == {ImportStatus.UNCHANGED}


async def test_changed_metadata_is_stored_without_embedding_again(rig: SearchRig) -> None:
    await rig.import_all()
    crops = rig.embedder.embedded_crops
    cheaper = dataclasses.replace(
        PRODUCTS[0], product=dataclasses.replace(PRODUCTS[0].product, price=1.5, category="couch")
    )
    renamed = dataclasses.replace(SCENES[0], attributes={"room": "Salon"})
    outcomes = await rig.import_all([cheaper, *PRODUCTS[1:]], [renamed, *SCENES[1:]])
    changed = [outcome.item_id for outcome in outcomes if outcome.status is ImportStatus.STORED]
    assert changed == ["red-sofa", "living"]
    assert rig.embedder.embedded_crops == crops
    assert (await rig.run(rig.client.get_product, "red-sofa")).price == 1.5
    living = await rig.run(rig.client.get_scene, "living")
    assert living.attributes == {"room": "Salon"}
    # The region's category follows its product's.
    assert {region.category for region in living.regions} == {"couch", "lamp"}
    assert (await rig.run(rig.client.facts)).product_image_count == 7


async def test_changed_images_replace_the_old_ones_and_leave_no_orphans(rig: SearchRig) -> None:
    await rig.import_all()
    files = media_files(rig.folder)
    new = picture(COLORS["purple"], seed=9)
    upload = dataclasses.replace(PRODUCTS[0], images=[file_of(new)])  # two images before
    moved = dataclasses.replace(
        SCENES[0], image=file_of(room({SOFA_BOX: COLORS["green"]}, seed=5)), regions=[RegionBox(SOFA_BOX)]
    )
    await rig.import_all([upload], [moved])
    facts = await rig.run(rig.client.facts)
    assert (facts.product_count, facts.product_image_count, facts.region_count) == (6, 6, 7)
    assert len(media_files(rig.folder)) == len(files) - 1
    assert digest_of(new) in media_files(rig.folder)
    found = await rig.run(rig.client.search_products, PhotoQuery(new), page_size=1)
    assert found.hits[0].product.product_id == "red-sofa"
    scenes = await rig.run(rig.client.search_scenes, ProductQuery("green-sofa"), page_size=2)
    assert {hit.scene.scene_id for hit in scenes.hits} == {"living", "office"}


async def test_an_image_that_two_products_show_is_stored_once_and_kept_while_one_shows_it(
    rig: SearchRig,
) -> None:
    data = picture(COLORS["red"], seed=4)
    twins = [
        ProductUpload(Product(product_id, category="sofa"), [file_of(data)]) for product_id in ("a", "b")
    ]
    await rig.import_all(twins, [])
    assert media_files(rig.folder) == {digest_of(data)}
    await rig.run(rig.client.delete_products, ["a"])
    assert await rig.run(rig.client.get_image, digest_of(data))
    await rig.run(rig.client.delete_products, ["b"])
    assert media_files(rig.folder) == set()


async def test_items_of_one_id_in_one_stream_end_with_the_last(rig: SearchRig) -> None:
    versions = [
        dataclasses.replace(PRODUCTS[1], product=dataclasses.replace(PRODUCTS[1].product, title=str(number)))
        for number in range(20)
    ]
    await rig.import_all(versions, [])
    assert (await rig.run(rig.client.get_product, "blue-sofa")).title == "19"
    assert (await rig.run(rig.client.facts)).product_count == 1


async def test_scene_without_boxes_gets_proposed_ones_marked_so(rig: SearchRig) -> None:
    bare = dataclasses.replace(SCENES[0], regions=())
    outcomes = await rig.import_all(PRODUCTS, [bare, SCENES[1]])
    assert 30 <= outcomes[-2].region_count <= 63
    living = await rig.run(rig.client.get_scene, "living")
    assert all(region.proposed and not region.product_id for region in living.regions)
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"))
    assert {hit.scene.scene_id for hit in found.hits} == {"living", "den"}
    drawn = await rig.run(
        rig.client.search_scenes, ProductQuery("red-sofa"), filter=SceneFilter(exclude_proposed=True)
    )
    assert [hit.scene.scene_id for hit in drawn.hits] == ["den"]
    # Boxes drawn later replace the proposed ones.
    await rig.import_all([], [SCENES[0]])
    assert len((await rig.run(rig.client.get_scene, "living")).regions) == 2


async def test_scene_with_more_boxes_than_one_embedding_call_takes(rig: SearchRig) -> None:
    boxes = [RegionBox(Box(x, y, x + 30, y + 30)) for x in range(0, 280, 20) for y in range(0, 200, 20)]
    crowded = dataclasses.replace(SCENES[0], regions=boxes)
    outcomes = await rig.import_all([], [crowded])
    assert outcomes[0].region_count == len(boxes) == 140


# --- Refusals ------------------------------------------------------------------------


def bad_product(**changes: object) -> ProductUpload:
    record = dataclasses.replace(PRODUCTS[3].product, **{"product_id": "bad", **changes})  # type: ignore[arg-type]
    return ProductUpload(record, PRODUCTS[3].images, source="products.csv:99")


@pytest.mark.parametrize(
    ("upload", "reason", "field"),
    [
        (bad_product(product_id=""), "BAD_ID", "product.product_id"),
        (bad_product(product_id="\u00e9" * 200), "BAD_ID", "product.product_id"),
        (bad_product(title="x" * 501), "TOO_LONG", "product.title"),
        (bad_product(title="a\x00b"), "CONTROL_CHARACTER", "product.title"),
        (bad_product(category=""), "MISSING", "product.category"),
        (bad_product(price=-1.0), "BAD_PRICE", "product.price"),
        (bad_product(price=float("nan")), "BAD_PRICE", "product.price"),
        (bad_product(currency="euro"), "BAD_CURRENCY", "product.currency"),
        (bad_product(url="javascript:alert(1)"), "BAD_URL", "product.url"),
        (bad_product(url="file:///etc/passwd"), "BAD_URL", "product.url"),
        (bad_product(attributes={"a\x1fb": "c"}), "CONTROL_CHARACTER", "product.attributes"),
        (ProductUpload(Product("bad", category="x"), []), "BAD_IMAGE_COUNT", "images"),
        (ProductUpload(Product("bad", category="x"), [file_of(b"hello")]), "NOT_AN_IMAGE", "images[0]"),
        (
            ProductUpload(
                Product("bad", category="x"),
                [PRODUCTS[0].images[0], file_of(jpeg(Image.new("RGB", (60, 60)))[:300])],
            ),
            "CORRUPT",
            "images[1]",
        ),
        (ProductUpload(Product("bad", category="x"), [file_of(b"")]), "EMPTY", "images[0]"),
        (
            ProductUpload(Product("bad", category="x"), [PRODUCTS[0].images[0]] * 2),
            "DUPLICATE_IMAGE",
            "images",
        ),
    ],
)
async def test_bad_product_is_refused_and_the_rest_is_stored(
    rig: SearchRig, upload: ProductUpload, reason: str, field: str
) -> None:
    outcomes = await rig.import_all([PRODUCTS[0], upload, PRODUCTS[1]], [])
    assert [outcome.status.value for outcome in outcomes] == ["stored", "refused", "stored"]
    problem = outcomes[1].problem
    assert problem is not None
    assert (problem.reason, problem.field) == (reason, field)
    assert problem.message
    assert (await rig.run(rig.client.facts)).product_count == 2
    assert len(media_files(rig.folder)) == 3


async def test_unreadable_file_is_reported_and_the_rest_is_stored(rig: SearchRig) -> None:
    def missing() -> bytes:
        raise FileNotFoundError(2, "No such file or directory", "/secret/place")

    upload = ProductUpload(Product("bad", category="x"), [ImageFile(missing)], source="products.csv:7")
    outcomes = await rig.import_all([upload, PRODUCTS[0]], [])
    assert outcomes[0].source == "products.csv:7"
    assert outcomes[0].problem is not None
    assert outcomes[0].problem.reason == "IMAGE_UNREADABLE"
    assert "/secret" not in outcomes[0].problem.message
    assert outcomes[1].status is ImportStatus.STORED


async def test_bad_regions_are_reported_and_the_scene_is_stored_without_them(  # BATTERY 74
    rig: SearchRig,
) -> None:
    regions = [
        RegionBox(SOFA_BOX, "red-sofa", "regions.csv:2"),
        RegionBox(Box(1000, 1000, 1100, 1100), "", "regions.csv:3"),
        RegionBox(LAMP_BOX, "no-such-product", "regions.csv:4"),
        RegionBox(Box(5, 5, 8, 8), "", "regions.csv:5"),
        RegionBox(SOFA_BOX, "blue-sofa", "regions.csv:6"),
        RegionBox(SOFA_BOX, "red-sofa", "regions.csv:7"),
        RegionBox(Box(-20, 200, 50, 900), "", "regions.csv:8"),
    ]
    outcomes = await rig.import_all(PRODUCTS, [dataclasses.replace(SCENES[0], regions=regions)])
    outcome = outcomes[-1]
    assert outcome.status is ImportStatus.STORED
    assert [(p.reason, p.source) for p in outcome.region_problems] == [
        ("BOX_OUTSIDE", "regions.csv:3"),
        ("UNKNOWN_PRODUCT", "regions.csv:4"),
        ("BOX_TOO_SMALL", "regions.csv:5"),
        ("DUPLICATE_BOX", "regions.csv:6"),
    ]
    stored = (await rig.run(rig.client.get_scene, "living")).regions
    assert {region.box for region in stored} == {SOFA_BOX, Box(0, 200, 50, ROOM_SIZE[1])}
    again = await rig.import_all(PRODUCTS, [dataclasses.replace(SCENES[0], regions=regions)])
    assert again[-1].status is ImportStatus.UNCHANGED
    assert len(again[-1].region_problems) == 4


@pytest.mark.parametrize(
    ("upload", "reason"),
    [
        (dataclasses.replace(SCENES[0], scene_id=""), "BAD_ID"),
        (dataclasses.replace(SCENES[0], image=file_of(b"<html>")), "NOT_AN_IMAGE"),
        (dataclasses.replace(SCENES[0], regions=[RegionBox(SOFA_BOX)] * 201), "TOO_MANY_REGIONS"),
        (dataclasses.replace(SCENES[0], attributes={f"a{n}": "" for n in range(51)}), "TOO_MANY_ATTRIBUTES"),
    ],
)
async def test_bad_scene_is_refused(rig: SearchRig, upload: SceneUpload, reason: str) -> None:
    (outcome,) = await rig.import_all([], [upload])
    assert outcome.problem is not None
    assert outcome.problem.reason == reason


async def test_wrong_digest_and_malformed_ids_are_refused_and_empty_images_need_data(rig: SearchRig) -> None:
    data = picture(COLORS["red"])
    uploads = [
        catalog_pb2.ImageUpload(image_id="sha256:" + "0" * 64, data=data),
        catalog_pb2.ImageUpload(image_id="../../etc/passwd", data=data),
        catalog_pb2.ImageUpload(),
        catalog_pb2.ImageUpload(image_id="sha256:" + "0" * 64),
    ]
    record = catalog_pb2.ImportProductsRequest().product
    record.product_id, record.category = "p", "c"

    def work() -> list[catalog_pb2.ImportProductsResponse]:
        with open_channel(ClientConfig(f"127.0.0.1:{rig.server.port}")) as channel:
            stub = catalog_pb2_grpc.CatalogServiceStub(channel)
            requests = (catalog_pb2.ImportProductsRequest(product=record, images=[one]) for one in uploads)
            return list(stub.ImportProducts(requests, timeout=20))

    answers = await asyncio.to_thread(work)
    assert [answer.error.reason for answer in answers] == ["DIGEST_MISMATCH", "BAD_IMAGE_ID", "EMPTY", ""]
    assert answers[3].status == catalog_pb2.IMPORT_STATUS_NEEDS_DATA
    assert list(answers[3].missing_image_ids) == ["sha256:" + "0" * 64]


async def test_product_whose_images_exceed_one_message_arrives_in_several(rig: SearchRig) -> None:
    for assume_new in (True, False):
        big = []
        for _ in range(4):
            out = BytesIO()
            Image.frombytes("RGB", (1500, 1500), os.urandom(1500 * 1500 * 3)).save(out, "JPEG", quality=98)
            big.append(out.getvalue())
        assert sum(map(len, big)) > 12 * 1024 * 1024
        upload = ProductUpload(Product(f"big-{assume_new}", category="x"), [file_of(data) for data in big])
        (outcome,) = await rig.import_all([upload], [], assume_new=assume_new)
        assert outcome.status is ImportStatus.STORED
        assert len((await rig.run(rig.client.get_product, f"big-{assume_new}")).images) == 4


async def test_failing_source_of_uploads_raises_after_what_was_sent_is_stored(rig: SearchRig) -> None:
    def uploads() -> Iterator[ProductUpload]:
        yield PRODUCTS[0]
        raise RuntimeError("the table ends here")

    outcomes: list[ImportOutcome] = []

    def work() -> None:
        outcomes.extend(rig.client.import_products(uploads()))

    with pytest.raises(RuntimeError, match="the table ends here"):
        await asyncio.to_thread(work)
    assert (await rig.run(rig.client.get_product, "red-sofa")).title == "red sofa"


async def test_embedder_of_an_unknown_metric_is_unavailable_and_the_service_stays_ready() -> None:
    embedder = FakeEmbedder()
    embedder.metric = 0
    async with search_rig(embedder=embedder) as rig:
        with pytest.raises(Unavailable) as caught:
            await rig.import_all()
        assert caught.value.reason == "EMBEDDER_INCOMPATIBLE"
        await asyncio.sleep(0.1)
        assert await rig.health("readiness") == SERVING


async def test_import_without_an_embedder_says_so(unused_tcp_port: int) -> None:
    async with search_rig(embedder_address=f"127.0.0.1:{unused_tcp_port}") as started:
        with pytest.raises(Unavailable) as caught:
            await started.import_all()
        assert caught.value.reason == "EMBEDDER_UNREACHABLE"


async def test_client_that_leaves_in_mid_import_loses_nothing_and_blocks_nobody(  # BATTERY 82
    rig: SearchRig,
) -> None:
    uploads = [product(f"p{n:03}", "red") for n in range(200)]

    def leave_early() -> int:
        outcomes = rig.client.import_products(uploads)
        stored = [next(outcomes) for _ in range(5)]
        outcomes.close()  # type: ignore[attr-defined]
        return len(stored)

    assert await asyncio.to_thread(leave_early) == 5
    crops = rig.embedder.embedded_crops
    await asyncio.sleep(0.3)
    assert rig.embedder.embedded_crops <= crops + 20
    outcomes = await rig.import_all(uploads, [])
    assert len(outcomes) == 200
    assert sum(outcome.status is ImportStatus.UNCHANGED for outcome in outcomes) >= 5
    assert (await rig.run(rig.client.facts)).product_count == 200


async def test_items_stored_before_a_kill_are_served_by_the_next_import(folder: Path) -> None:
    async with search_rig(folder=folder) as first:
        await first.import_all()
    await asyncio.to_thread((folder / "index" / "CURRENT").unlink)
    async with search_rig(folder=folder) as second:
        assert (await second.run(second.client.facts)).product_count == 0
        assert {outcome.status for outcome in await second.import_all()} == {ImportStatus.UNCHANGED}
        assert (await second.run(second.client.facts)).product_count == 6


# --- Reading and removing --------------------------------------------------------------


async def test_lists_page_through_everything_once(rig: SearchRig) -> None:
    await rig.import_all()
    seen: list[str] = []
    token = ""
    while True:
        page = await rig.run(rig.client.list_products, page_size=4, page_token=token)
        seen += [item.product_id for item in page.products]
        token = page.next_page_token
        if not token:
            break
    assert sorted(seen) == sorted(upload.product.product_id for upload in PRODUCTS)
    lamps = await rig.run(rig.client.list_products, categories=["lamp"])
    assert {item.product_id for item in lamps.products} == {"red-lamp", "cyan-lamp", "orange-lamp"}
    first = await rig.run(rig.client.list_scenes, page_size=3)
    second = await rig.run(rig.client.list_scenes, page_size=3, page_token=first.next_page_token)
    assert {item.scene_id for item in first.scenes + second.scenes} == {"living", "den", "bedroom", "office"}
    with pytest.raises(InvalidInput):
        await rig.run(rig.client.list_scenes, page_size=-1)
    with pytest.raises(InvalidInput):
        await rig.run(rig.client.list_products, page_token=first.next_page_token)


async def test_unknown_ids_are_not_found(rig: SearchRig) -> None:  # BATTERY 60
    for call in (rig.client.get_product, rig.client.get_scene, rig.client.get_image):
        for unknown in ("no such", "", "../../etc/passwd", "sha256:" + "0" * 64):
            with pytest.raises(NotFound):
                await rig.run(call, unknown)


async def test_deleted_product_leaves_look_alikes_and_comes_back_with_its_boxes(rig: SearchRig) -> None:
    await rig.import_all()
    gone = (await rig.run(rig.client.get_product, "red-sofa")).images
    assert await rig.run(rig.client.delete_products, ["red-sofa", "no such"]) == 1
    with pytest.raises(NotFound):
        await rig.run(rig.client.get_product, "red-sofa")
    living = await rig.run(rig.client.get_scene, "living")
    assert {(region.product_id, region.category) for region in living.regions} == {
        ("", ""),
        ("cyan-lamp", "lamp"),
    }
    facts = await rig.run(rig.client.facts)
    assert (facts.product_count, facts.region_count) == (5, 8)
    assert not media_files(rig.folder) & {image.image_id for image in gone}
    await rig.import_all()
    living = await rig.run(rig.client.get_scene, "living")
    assert {region.product_id for region in living.regions} == {"red-sofa", "cyan-lamp"}


@pytest.mark.parametrize("item_id", ["", "\x1b[31m", "x" * 257])
async def test_impossible_ids_are_not_deleted(rig: SearchRig, item_id: str) -> None:
    await rig.import_all(PRODUCTS[:1], SCENES[1:2])  # its regions include one of no product, whose id is ""
    for delete, field in (
        (rig.client.delete_products, "product_ids"),
        (rig.client.delete_scenes, "scene_ids"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await rig.run(delete, ["other", item_id], deadline_s=5)
        assert (caught.value.field, caught.value.reason) in (
            (f"{field}[1]", "BAD_ID"),
            (f"{field}[1]", "CONTROL_CHARACTER"),
        )


async def test_deleted_scene_goes_with_its_regions_and_image(rig: SearchRig) -> None:
    await rig.import_all()
    image = (await rig.run(rig.client.get_scene, "living")).image
    assert await rig.run(rig.client.delete_scenes, ["living", "living", "no such"]) == 1
    facts = await rig.run(rig.client.facts)
    assert (facts.scene_count, facts.region_count) == (3, 6)
    assert image.image_id not in media_files(rig.folder)
    found = await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"))
    assert "living" not in {hit.scene.scene_id for hit in found.hits}
    for ids in ([], ["x"] * 1_001):
        with pytest.raises(InvalidInput):
            await rig.run(rig.client.delete_scenes, ids)


async def test_images_come_back_scaled_upright_and_without_metadata(rig: SearchRig) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "camera"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}
    out = BytesIO()
    Image.new("RGB", (400, 200), COLORS["red"]).save(out, "JPEG", exif=exif)
    await rig.import_all([ProductUpload(Product("p", category="c"), [file_of(out.getvalue())])], [])
    (image,) = (await rig.run(rig.client.get_product, "p")).images
    assert (image.width_px, image.height_px) == (200, 400)
    for side, expected in ((0, (200, 400)), (100, (50, 100)), (4096, (200, 400)), (1_000_000, (200, 400))):
        data = await rig.run(rig.client.get_image, image.image_id, side)
        assert decode_image(data).size == expected
        assert not Image.open(BytesIO(data)).getexif()
        assert await rig.run(rig.client.get_image, image.image_id, side) == data
    for side in (-1, 5):
        with pytest.raises(InvalidInput):
            await rig.run(rig.client.get_image, image.image_id, side)


# --- Models --------------------------------------------------------------------------


async def test_another_model_fills_beside_the_serving_one_until_it_is_activated(rig: SearchRig) -> None:
    await rig.import_all()
    old, new = rig.embedder.digest, "sha256:" + "ab" * 32
    with pytest.raises(NotReady):
        await rig.run(rig.client.activate_model, new)
    rig.embedder.digest = new
    outcomes = await rig.import_all()
    assert {outcome.status for outcome in outcomes} == {ImportStatus.STORED}
    assert sum(outcome.sent_bytes for outcome in outcomes) == 0  # the images were there
    facts = await rig.run(rig.client.facts)
    assert (facts.model_digest, facts.embedder_model_digest) == (old, new)
    assert (await rig.run(rig.client.search_scenes, ProductQuery("red-sofa"))).model_digest == old
    assert await rig.run(rig.client.activate_model, new) == old
    found = await rig.run(rig.client.search_products, PhotoQuery(picture(COLORS["cyan"])), page_size=1)
    assert (found.hits[0].product.product_id, found.model_digest) == ("cyan-lamp", new)
    # What is removed is removed under every model.
    await rig.run(rig.client.delete_products, ["cyan-lamp"])
    await rig.run(rig.client.activate_model, old)
    with pytest.raises(NotFound):
        await rig.run(rig.client.get_product, "cyan-lamp")
    with pytest.raises(InvalidInput):
        await rig.run(rig.client.activate_model, "latest")


# --- Faults --------------------------------------------------------------------------


def start_process(folder: Path, port: int, embedder: str, **environment: str) -> subprocess.Popen[bytes]:
    settings = {
        "INSITU_PORT": str(port),
        "INSITU_DATA_DIR": str(folder),
        "INSITU_EMBEDDER_ADDRESS": embedder,
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "protos")]),
    } | environment
    return subprocess.Popen(
        [sys.executable, "-m", "services.search"],
        env={**os.environ, **settings},
        cwd=folder,
        stderr=subprocess.PIPE,
    )


async def until_serving(target: str, name: str = "readiness", wanted: int = SERVING) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            if await health_of(target, name) == wanted:
                return
        except Exception:
            if time.monotonic() > deadline:
                raise
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_kill_9_in_the_middle_then_again_is_complete_without_duplicates(  # BATTERY 76
    folder: Path, unused_tcp_port: int
) -> None:
    colors = list(COLORS)
    products = [product(f"p{n:03}", colors[n % 6]) for n in range(60)]
    scenes = [scene(f"s{n:03}", colors[n % 6], colors[n % 5], (f"p{n:03}", "")) for n in range(40)]
    target = f"127.0.0.1:{unused_tcp_port}"
    slow = FakeEmbedder(delay_s=0.004)
    async with fake_embedder(slow) as embedder_server:
        first = start_process(folder, unused_tcp_port, address(embedder_server))
        try:
            await until_serving(target)

            def interrupted() -> tuple[int, int]:
                stored = searches = 0
                with SearchClient(ClientConfig(target)) as client:
                    try:
                        for _ in client.import_products(products):
                            stored += 1
                        for _ in client.import_scenes(scenes):
                            stored += 1
                            # Queries are served all along.
                            searches += bool(client.search_products(ProductQuery("p000")).hits)
                            if stored == 75:
                                first.send_signal(signal.SIGKILL)
                    except InsituError:
                        pass
                return stored, searches

            stored, searches = await asyncio.to_thread(interrupted)
            assert 75 <= stored < 100
            assert searches >= 15
        finally:
            first.kill()
            first.communicate()
        second = start_process(folder, unused_tcp_port, address(embedder_server))
        try:
            await until_serving(target)

            def again() -> tuple[list[ImportStatus], CatalogFacts]:
                with SearchClient(ClientConfig(target)) as client:
                    outcomes = [outcome.status for outcome in client.import_products(products)]
                    outcomes += [outcome.status for outcome in client.import_scenes(scenes)]
                    return outcomes, client.facts()

            outcomes, facts = await asyncio.to_thread(again)
            assert outcomes.count(ImportStatus.UNCHANGED) >= stored
            assert ImportStatus.REFUSED not in outcomes
            assert (facts.product_count, facts.scene_count, facts.region_count) == (60, 40, 80)
            second.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(second.wait, 15) == 0
        finally:
            second.kill()
            second.communicate()


async def test_second_process_on_the_same_data_says_so_and_exits(  # BATTERY 96
    folder: Path, unused_tcp_port: int
) -> None:
    async with search_rig(folder=folder):
        second = start_process(folder, unused_tcp_port, "127.0.0.1:1")
        _, stderr = await asyncio.to_thread(second.communicate, timeout=30)
    assert second.returncode == 1
    assert b"uses the index" in stderr
    assert b"Traceback" not in stderr


async def test_catalogue_survives_a_restart(folder: Path) -> None:
    async with search_rig(folder=folder) as first:
        await first.import_all()
        before = await first.run(first.client.facts)
    async with search_rig(folder=folder) as second:
        after = await second.run(second.client.facts)
        assert dataclasses.replace(after, embedder_model_digest=before.embedder_model_digest) == before
        assert {outcome.status for outcome in await second.import_all()} == {ImportStatus.UNCHANGED}


async def test_qdrant_that_refuses_is_unavailable_at_once_and_readiness_is_off(  # BATTERY 86
    unused_tcp_port: int,
) -> None:
    async with search_rig(qdrant_url=f"http://127.0.0.1:{unused_tcp_port}") as started:
        for call in (
            lambda: started.client.search_scenes(ProductQuery("x")),
            lambda: started.client.facts(),
            lambda: started.client.get_product("x"),
        ):
            before = time.monotonic()
            with pytest.raises(Unavailable) as caught:
                await started.run(call)
            assert time.monotonic() - before < 1
            assert caught.value.reason == "INDEX_UNREACHABLE"
        target = f"127.0.0.1:{started.server.port}"
        await until_serving(target, "readiness", NOT_SERVING)
        await until_serving(target, "insitu.search.v1.SearchService", NOT_SERVING)
        assert await started.health("") == SERVING


async def test_qdrant_that_never_answers_is_unavailable_within_the_deadline() -> None:  # BATTERY 87
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)
        writer.close()

    hole = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = hole.sockets[0].getsockname()[1]
    async with search_rig(qdrant_url=f"http://127.0.0.1:{port}") as started:
        before = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            await started.run(started.client.search_scenes, ProductQuery("x"), deadline_s=1.0)
        assert time.monotonic() - before < 1.0
        assert caught.value.reason == "INDEX_TIMEOUT"
        assert await started.health("") == SERVING
    hole.close()
    await asyncio.sleep(0.05)  # its connections end


async def test_wrong_qdrant_key_is_unavailable_and_never_printed(  # BATTERY 89
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with search_rig(qdrant_url=url, qdrant_api_key="hunter2-secret") as started:
        for _ in range(3):
            with pytest.raises(Unavailable) as caught:
                await started.run(started.client.facts)
            assert caught.value.reason == "INDEX_KEY_REFUSED"
        await until_serving(f"127.0.0.1:{started.server.port}", "readiness", NOT_SERVING)
    server.close()
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "hunter2" not in printed
    assert printed.count("INDEX_KEY_REFUSED") == 1


async def test_qdrant_that_comes_back_is_used_without_a_restart(folder: Path) -> None:  # BATTERY 88
    index = EdgeIndex(folder / "other")
    down = False
    check, active = index.check, index.active

    async def broken_check() -> None:
        if down:
            raise Unavailable("INDEX_UNREACHABLE", "down")
        await check()

    async def broken_active() -> object:
        await broken_check()
        return await active()

    index.check, index.active = broken_check, broken_active  # type: ignore[method-assign,assignment]
    async with search_rig(index=index, folder=folder) as started:
        await started.import_all()
        down = True
        with pytest.raises(Unavailable):
            await started.run(started.client.facts)
        target = f"127.0.0.1:{started.server.port}"
        await until_serving(target, "readiness", NOT_SERVING)
        down = False
        await until_serving(target, "readiness", SERVING)
        assert (await started.run(started.client.facts)).product_count == 6


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect:UserWarning")
async def test_collections_of_two_models_behind_one_name_are_refused_at_start() -> None:  # BATTERY 91
    index = ServerIndex(AsyncQdrantClient(":memory:"))
    one, two = (ModelSpec("sha256:" + letter * 64, 4, Metric.COSINE) for letter in "ab")
    for model in (one, two):
        await index.ensure(model)
        await index.activate(model.digest)
    await index._client.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name="insitu_scenes")),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(
                    collection_name="insitu_scenes_" + "a" * 64, alias_name="insitu_scenes"
                )
            ),
        ]
    )
    index._active = None
    with pytest.raises(SystemExit, match="one model"):
        async with search_rig(index=index):
            pass


async def test_full_disk_is_said_and_what_was_stored_still_serves(  # BATTERY 77
    rig: SearchRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.import_all(PRODUCTS[:3], [])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("services.search.media._FolderStore.put", full)
    with pytest.raises(Unavailable) as caught:
        await rig.import_all(PRODUCTS, [])
    assert caught.value.reason == "DISK_FULL"
    assert len((await rig.run(rig.client.search_products, ProductQuery("red-sofa"))).hits) == 2
