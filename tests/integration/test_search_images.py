"""Bad and odd images of the battery, through imports, queries and GetImage of the search service."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
import structlog
from PIL import Image

from services.imaging import Box, decode_image
from services.runtime.errors import InvalidInput
from services.runtime.logs import configure_logging
from services.search.client import (
    ImportStatus,
    PhotoQuery,
    Product,
    ProductQuery,
    ProductUpload,
    RegionBox,
    SceneUpload,
)
from tests import battery_images as battery
from tests.fakes.colored_catalog import file_of
from tests.fakes.search_rig import SearchRig, search_rig

BAD = {
    "text": (battery.NOT_IMAGES["text"], "NOT_AN_IMAGE"),
    "no width": (battery.NOT_IMAGES["png of no width"], "NOT_AN_IMAGE"),
    "truncated": (battery.jpeg()[:-2000], "CORRUPT"),
    "bomb": (battery.png_with_size(30_000, 30_000, 1_000_000), "TOO_MANY_PIXELS"),
    "one pixel": (battery.encode(Image.new("RGB", (1, 1)), "PNG"), "TOO_SMALL"),
    "a thread": (battery.encode(Image.new("RGB", (1000, 10)), "PNG"), "BAD_SHAPE"),
    "gif": (battery.encode(battery.photo(64, 48), "GIF"), "UNSUPPORTED_FORMAT"),
}
ODD = {
    "appended zip": battery.with_appended_zip(battery.jpeg()),
    "cmyk": battery.encode(battery.photo().convert("CMYK"), "JPEG"),
    "16-bit grey": battery.encode(battery.grey16_ramp(), "PNG"),
    "animated": battery.animation("WEBP"),
    "text chunks": battery.insert_png_chunks(
        battery.encode(battery.photo(), "PNG"), battery.png_chunk(b"tEXt", b"Comment\x00words") * 20_000
    ),
}


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[SearchRig]:
    async with search_rig() as started:
        yield started


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """What the processes write as their log, at the most talkative level."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging("test", "debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def upload(product_id: str, data: bytes) -> ProductUpload:
    return ProductUpload(Product(product_id, title=product_id, category="c"), [file_of(data)])


async def test_bad_images_are_refused_everywhere_and_odd_ones_taken(rig: SearchRig) -> None:
    files = {name: data for name, (data, _) in BAD.items()} | ODD
    outcomes = await rig.import_all([upload(name, data) for name, data in files.items()], [])
    for outcome in outcomes:
        expected = BAD[outcome.item_id][1] if outcome.item_id in BAD else None
        assert (outcome.problem.reason if outcome.problem else None) == expected, outcome.item_id
    assert (await rig.run(rig.client.facts)).product_count == len(ODD)

    for name, (data, reason) in BAD.items():
        with pytest.raises(InvalidInput) as caught:
            await rig.run(rig.client.search_products, PhotoQuery(data))
        assert (caught.value.field, caught.value.reason) == ("image.image", reason), name
    for name, data in ODD.items():
        found = await rig.run(rig.client.search_products, PhotoQuery(data), page_size=1)
        assert found.hits[0].score > 0.999, name
        (image,) = found.hits[0].product.images
        small = decode_image(await rig.run(rig.client.get_image, image.image_id, 32))
        assert max(small.size) == 32


async def test_tail_of_an_image_is_stored_but_never_handed_out(rig: SearchRig) -> None:
    await rig.import_all([upload("p", ODD["appended zip"])], [])
    (image,) = (await rig.run(rig.client.get_product, "p")).images
    assert b"payload.txt" not in await rig.run(rig.client.get_image, image.image_id)


async def test_boxes_of_an_imported_scene_count_in_upright_pixels(rig: SearchRig) -> None:
    upright = battery.quadrants(160, 96)
    stored = battery.encode(battery.stored_turned(upright, 6), exif=battery.exif(6), quality=95)
    blue = Box(8, 56, 72, 88)
    await rig.import_all(
        [upload("blue", battery.encode(Image.new("RGB", (64, 32), (0, 0, 255)), "PNG"))],
        [SceneUpload("s", file_of(stored), regions=[RegionBox(blue), RegionBox(Box(88, 8, 152, 40))])],
    )
    scene = await rig.run(rig.client.get_scene, "s")
    assert (scene.image.width_px, scene.image.height_px) == (160, 96)
    found = await rig.run(rig.client.search_scenes, ProductQuery("blue"))
    best = found.hits[0].regions[0]
    assert best.region.box == blue
    assert best.score > 0.98


async def test_position_and_comments_of_a_photo_are_in_no_answer_and_no_log(
    rig: SearchRig, logs: io.StringIO
) -> None:
    data = battery.jpeg(exif=battery.exif(6, gps=True), comment=b"secret-comment")
    await rig.import_all([upload("p", data)], [SceneUpload("s", file_of(data))])
    hits = await rig.run(rig.client.search_products, PhotoQuery(data, Box(10, 10, 100, 100)))
    rooms = await rig.run(rig.client.search_scenes, PhotoQuery(data))
    with pytest.raises(InvalidInput):
        await rig.run(rig.client.search_products, PhotoQuery(data[:3000]))
    told = [hits, rooms, await rig.run(rig.client.list_products), await rig.run(rig.client.get_scene, "s")]

    assert rooms.hits
    assert "secret" not in repr(told)
    assert "secret" not in logs.getvalue()
    assert "GPS" not in logs.getvalue()
    assert '"event": "call"' in logs.getvalue()
    image_id = hits.hits[0].closest_image_id
    for side in (0, 64, 4096):
        handed_out = await rig.run(rig.client.get_image, image_id, side)
        assert b"Exif" not in handed_out
        assert b"secret" not in handed_out
        assert not Image.open(io.BytesIO(handed_out)).getexif()


async def test_imports_are_logged_without_the_words_of_the_catalogue(
    rig: SearchRig, logs: io.StringIO
) -> None:
    outcomes = await rig.import_all([upload("secret-id", battery.jpeg()), upload("secret-bad", b"x")], [])
    assert [outcome.status for outcome in outcomes] == [ImportStatus.STORED, ImportStatus.REFUSED]
    assert "secret" not in logs.getvalue()
