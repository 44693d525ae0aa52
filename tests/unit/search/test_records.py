"""Ids, payloads and digests of records."""

from __future__ import annotations

import dataclasses
import json

import pytest

from services.imaging import Box
from services.search import records
from services.search.entities import Image, Product, Region, Scene

IMAGES = (Image("sha256:" + "1" * 64, 10, 20), Image("sha256:" + "2" * 64, 30, 40))
PRODUCT = Product("p", "Title", "sofa", 9.5, "EUR", "https://x.example", {"b": "2", "a": "1"}, IMAGES)
REGION = Region("r", "s", Box(1, 2, 30, 40.5), "p", "sofa", True)


def test_product_survives_its_payload() -> None:
    payload = records.product_payload(PRODUCT, 1, "digest", 5)
    assert records.product_of(json.loads(json.dumps(payload))) == PRODUCT
    assert payload["image_id"] == IMAGES[1].image_id
    assert payload["tags"] == ["a\x1f1", "b\x1f2"]
    assert (payload["digest"], records.product_payload(PRODUCT, 0, "digest", 5)["digest"]) == ("", "digest")


def test_product_without_price_has_no_price_to_filter_on() -> None:
    payload = records.product_payload(dataclasses.replace(PRODUCT, price=None), 0, "", 5)
    assert "price" not in payload
    assert records.product_of(payload).price is None


def test_scene_and_region_survive_their_payloads() -> None:
    scene = Scene("s", IMAGES[0], {"room": "Den"})
    assert records.scene_of(json.loads(json.dumps(records.scene_payload(scene, "d", 5)))) == scene
    payload = json.loads(json.dumps(records.region_payload(REGION, "sha256:x", {"room": "Den"})))
    assert records.region_of("r", payload) == REGION
    assert payload["tags"] == ["room\x1fDen"]


def test_ids_are_stable_and_tell_everything_apart() -> None:
    assert records.product_point_id("p") == records.product_point_id("p", 0)
    assert records.region_id("s", Box(1, 2, 3, 4)) == records.region_id("s", Box(1.001, 2, 3, 4.001))
    ids = [
        records.product_point_id("p"),
        records.product_point_id("p", 1),
        records.product_point_id("q"),
        records.scene_point_id("p"),
        records.region_id("p", Box(1, 2, 3, 4)),
        records.region_id("p", Box(1, 2, 3, 5)),
        records.region_id("q", Box(1, 2, 3, 4)),
    ]
    assert len(set(ids)) == len(ids)
    assert all(map(records.is_point_id, ids))
    assert not any(map(records.is_point_id, ["", "x", ids[0].upper(), "{" + ids[0] + "}"]))


@pytest.mark.parametrize(
    "change", [{"price": 9.6}, {"title": "t"}, {"attributes": {"a": "1"}}, {"category": "x"}, {"url": ""}]
)
def test_product_digest_changes_with_the_record(change: dict[str, object]) -> None:
    changed = dataclasses.replace(PRODUCT, **change)  # type: ignore[arg-type]
    assert records.product_digest(changed, ["i"]) != records.product_digest(PRODUCT, ["i"])


def test_product_digest_minds_images_and_their_order_but_not_the_order_of_attributes() -> None:
    assert records.product_digest(PRODUCT, ["i", "j"]) != records.product_digest(PRODUCT, ["j", "i"])
    other = dataclasses.replace(PRODUCT, attributes={"a": "1", "b": "2"})
    assert records.product_digest(other, ["i"]) == records.product_digest(PRODUCT, ["i"])


def test_scene_digest_minds_the_categories_of_its_products() -> None:
    renamed = dataclasses.replace(REGION, category="couch")
    assert records.scene_digest("s", "i", {}, [REGION]) != records.scene_digest("s", "i", {}, [renamed])
