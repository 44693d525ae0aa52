"""Lines 1 to 55 of the battery of bad inputs, through a real embedder: nothing crashes, others go on."""

import logging
import math

import grpc
import pytest
from PIL import Image

from insitu.embedder.v1 import embedder_pb2
from insitu.geometry.v1 import geometry_pb2
from tests import battery_images as battery
from tests.integration.embedder_harness import Running, reasons, running

Boxes = list[tuple[float, float, float, float]]


async def embed(server: Running, image: bytes, boxes: Boxes | None = None) -> embedder_pb2.EmbedImageResponse:
    request = embedder_pb2.EmbedImageRequest(
        image=image,
        boxes=[geometry_pb2.Box(x_min=a, y_min=b, x_max=c, y_max=d) for a, b, c, d in boxes or []],
    )
    answer: embedder_pb2.EmbedImageResponse = await server.stub.EmbedImage(request, timeout=20)
    return answer


async def refusal(server: Running, image: bytes, boxes: Boxes | None = None) -> tuple[str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await embed(server, image, boxes)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    reason, field, _ = reasons(caught.value)
    return reason, field


def bad_images() -> dict[str, tuple[bytes, str]]:
    """Name to file and expected reason."""
    whole = battery.jpeg()
    bad = {f"not an image: {name}": (data, "NOT_AN_IMAGE") for name, data in battery.NOT_IMAGES.items()}
    bad |= {
        f"type {name}": (data, "UNSUPPORTED_FORMAT") for name, data in battery.unsupported_files().items()
    }
    bad |= {
        f"truncated at {percent} %": (whole[: int(len(whole) * percent / 100)], "CORRUPT")
        for percent in (10, 50, 90, 99.9)
    }
    bad |= {
        "empty": (b"", "EMPTY"),
        "bomb of 30000 squared": (battery.png_with_size(30_000, 30_000, 1_000_000), "TOO_MANY_PIXELS"),
        "bomb of 6000 squared": (battery.png_with_size(6_000, 6_000, 1_000_000), "TOO_MANY_PIXELS"),
        "over the byte limit": (b"\xff\xd8\xff" + bytes(10 * 1024 * 1024), "TOO_BIG"),
        "one pixel": (battery.encode(Image.new("RGB", (1, 1)), "PNG"), "TOO_SMALL"),
        "a thread": (battery.encode(Image.new("RGB", (1000, 10)), "PNG"), "BAD_SHAPE"),
        "a thousand scans": (battery.many_scans_jpeg(1000), "CORRUPT"),
    }
    return bad


async def test_bad_images_are_refused_with_field_and_reason_and_disturb_nobody() -> None:
    async with running() as server:
        for name, (data, expected) in bad_images().items():
            assert await refusal(server, data) == (expected, "image"), name
        assert len((await embed(server, battery.jpeg())).embeddings) == 1


async def test_a_stream_answers_bad_images_one_by_one_and_goes_on() -> None:
    bad = bad_images()
    good = battery.jpeg()
    sent = {}
    for number, (name, (data, reason)) in enumerate(bad.items()):
        sent[name] = (data, reason)
        sent[f"good {number}"] = (good, "")
    async with running() as server:
        requests = (
            embedder_pb2.EmbedImagesRequest(item_id=name, image=data) for name, (data, _) in sent.items()
        )
        answers = {answer.item_id: answer async for answer in server.stub.EmbedImages(requests, timeout=60)}
    assert answers.keys() == sent.keys()
    for name, (_, reason) in sent.items():
        if reason:
            assert (answers[name].error.reason, answers[name].error.field) == (reason, "image"), name
            assert answers[name].error.message
        else:
            assert len(answers[name].embedded.embeddings) == 1


async def test_odd_but_good_images_are_accepted() -> None:
    photo = battery.photo()
    odd = {
        "appended zip": battery.with_appended_zip(battery.jpeg()),
        "progressive": battery.jpeg(progressive=True),
        "junk profile": battery.jpeg(icc_profile=b"junk" * 100),
        "junk exif": battery.jpeg(exif=b"Exif\x00\x00" + b"\xff" * 200),
        "cmyk": battery.encode(photo.convert("CMYK"), "JPEG"),
        "16-bit grey": battery.encode(battery.grey16_ramp(), "PNG"),
        "1-bit": battery.encode(photo.convert("1"), "PNG"),
        "animated webp": battery.animation("WEBP"),
        "all white": battery.encode(Image.new("RGB", (64, 64), "white"), "PNG"),
        "text chunks": battery.insert_png_chunks(
            battery.encode(photo, "PNG"), battery.png_chunk(b"tEXt", b"Comment\x00words") * 20_000
        ),
    }
    async with running() as server:
        for name, data in odd.items():
            assert len((await embed(server, data)).embeddings) == 1, name


async def test_an_all_white_photo_has_no_contrast_and_a_patterned_one_has() -> None:
    async with running() as server:
        white = await embed(server, battery.encode(Image.new("RGB", (64, 64), "white"), "PNG"))
        pattern = await embed(server, battery.encode(battery.quadrants(), "PNG"))
    assert white.embeddings[0].contrast == 0
    assert pattern.embeddings[0].contrast > 0.1


async def test_gps_and_comments_appear_in_no_output_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    data = battery.jpeg(exif=battery.exif(6, gps=True), comment=b"secret-comment")
    with caplog.at_level(logging.DEBUG):
        async with running() as server:
            answer = await embed(server, data)
            await refusal(server, data[:3000])
    assert (answer.image_width_px, answer.image_height_px) == (240, 320)
    assert b"secret" not in answer.SerializeToString()
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((50, 10, 20, 40), "BAD_BOX"),
        ((10, 40, 20, 10), "BAD_BOX"),
        ((math.nan, 10, 40, 40), "BAD_BOX"),
        ((10, 10, math.inf, 40), "BAD_BOX"),
        ((-math.inf, 10, 40, 40), "BAD_BOX"),
        ((400, 10, 500, 40), "BOX_OUTSIDE"),
        ((10, 10, 15, 100), "BOX_TOO_SMALL"),
    ],
)
async def test_a_bad_box_is_refused_naming_its_field(
    box: tuple[float, float, float, float], reason: str
) -> None:
    async with running() as server:
        refused = await refusal(server, battery.jpeg(320, 240), [(0, 0, 100, 100), box])
    assert refused == (reason, "boxes[1]")


async def test_a_box_partly_outside_is_clipped_and_the_clipped_one_returned() -> None:
    async with running() as server:
        answer = await embed(server, battery.jpeg(320, 240), [(-50, 100, 200, 999)])
    box = answer.embeddings[0].box
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (0, 100, 200, 240)


async def test_64_boxes_are_answered_in_order_and_65_are_refused() -> None:
    colours = Image.new("RGB", (640, 64))
    for column in range(64):
        colours.paste((column * 4, 255 - column * 4, 128), (column * 10, 0, column * 10 + 10, 64))
    data = battery.encode(colours, "PNG")
    boxes: Boxes = [(column * 10, 0, column * 10 + 10, 64) for column in range(64)]
    async with running(max_batch_size=5) as server:
        answer = await embed(server, data, boxes)
        assert [embedding.box.x_min for embedding in answer.embeddings] == [box[0] for box in boxes]
        reds = [embedding.values[0] for embedding in answer.embeddings]
        inner = reds[1:-1]  # the first and the last have white padding, from beyond the photo
        assert inner == sorted(inner)
        assert await refusal(server, data, [*boxes, boxes[0]]) == ("TOO_MANY_BOXES", "boxes")


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
async def test_boxes_and_sizes_are_in_upright_pixels(orientation: int) -> None:
    upright = battery.quadrants(160, 96)
    stored = battery.stored_turned(upright, orientation)
    data = battery.encode(stored, "JPEG", exif=battery.exif(orientation), quality=95)
    async with running() as server:
        turned = await embed(server, data, [(8, 8, 72, 40)])
        plain = await embed(server, battery.encode(upright, "JPEG", quality=95), [(8, 8, 72, 40)])
    assert (turned.image_width_px, turned.image_height_px) == (160, 96)
    assert turned.embeddings[0].values == pytest.approx(plain.embeddings[0].values, abs=0.02)
