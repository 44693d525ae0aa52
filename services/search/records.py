"""Entities to points of the index and back: ids, payloads, tags, digests of records."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from services.imaging import Box
from services.search.entities import Image, Product, Region, Scene
from services.search.index.port import Payload

# Part of every record's digest: raise it when payloads change, and the next import rewrites them.
_PAYLOAD_VERSION = 1
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "insitu")
# Between name and value of a tag; control characters are refused in both, so it cannot be forged.
_TAG_SEPARATOR = "\x1f"


def product_point_id(product_id: str, ordinal: int = 0) -> str:
    """Id of the point of one image of a product; `ordinal` counts its images from 0."""
    return str(uuid.uuid5(_NAMESPACE, f"product\0{ordinal}\0{product_id}"))


def scene_point_id(scene_id: str) -> str:
    """Id of a scene's point."""
    return str(uuid.uuid5(_NAMESPACE, f"scene\0{scene_id}"))


def region_id(scene_id: str, box: Box) -> str:
    """Id of a region: of its scene and its box, rounded to 1/100 px so that float32 does not matter."""
    corners = "\0".join(f"{side:.2f}" for side in (box.x_min, box.y_min, box.x_max, box.y_max))
    return str(uuid.uuid5(_NAMESPACE, f"region\0{corners}\0{scene_id}"))


def is_point_id(text: str) -> bool:
    """Whether the text is a lower-case UUID, as all our ids are; engines raise at anything else."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def tag(name: str, value: str) -> str:
    """An attribute as one keyword, so that any name can be filtered on with one index."""
    return f"{name}{_TAG_SEPARATOR}{value}"


def tags(attributes: Mapping[str, str]) -> list[str]:
    """All attributes as keywords."""
    return [tag(name, value) for name, value in sorted(attributes.items())]


def product_digest(product: Product, image_ids: Sequence[str]) -> str:
    """Digest of all that an import says about a product, its images' content included."""
    return _digest([_product_record(product), list(image_ids)])


def scene_digest(
    scene_id: str, image_id: str, attributes: Mapping[str, str], regions: Sequence[Region]
) -> str:
    """Digest of all that an import says about a scene and its regions, resolved categories included."""
    return _digest(
        [
            scene_id,
            image_id,
            sorted(attributes.items()),
            [region_payload(region, "", {}) for region in regions],
        ]
    )


def product_payload(product: Product, ordinal: int, digest: str, stored_at: int) -> dict[str, Any]:
    """Payload of one image of a product. Each holds the whole record, so that a hit needs no second look.

    `stored_at` is in seconds since 1970. Only the point of ordinal 0 carries the digest: it is written
    last, and says that the product is complete.
    """
    payload: dict[str, Any] = {
        "product_id": product.product_id,
        "category": product.category,
        "tags": tags(product.attributes),
        "attribute_names": sorted(product.attributes),
        "ordinal": ordinal,
        "image_id": product.images[ordinal].image_id,
        "stored_at": stored_at,
        "record": _product_record(product) | {"images": [_image_record(image) for image in product.images]},
        "digest": digest if ordinal == 0 else "",
    }
    if product.price is not None:
        payload["price"] = product.price
    return payload


def product_of(payload: Payload) -> Product:
    """The product of a point."""
    record = payload["record"]
    return Product(
        product_id=record["product_id"],
        title=record["title"],
        category=record["category"],
        price=record["price"],
        currency=record["currency"],
        url=record["url"],
        attributes=record["attributes"],
        images=tuple(_image_of(image) for image in record["images"]),
    )


def scene_payload(scene: Scene, digest: str, stored_at: int) -> dict[str, Any]:
    """Payload of a scene. It is written after its regions, and its digest says that they are complete."""
    return {
        "scene_id": scene.scene_id,
        "tags": tags(scene.attributes),
        "image_id": scene.image.image_id,
        "stored_at": stored_at,
        "record": {
            "scene_id": scene.scene_id,
            "image": _image_record(scene.image),
            "attributes": dict(scene.attributes),
        },
        "digest": digest,
    }


def scene_of(payload: Payload, regions: Sequence[Region] = ()) -> Scene:
    """The scene of a point."""
    record = payload["record"]
    return Scene(record["scene_id"], _image_of(record["image"]), record["attributes"], tuple(regions))


def region_payload(region: Region, image_id: str, scene_attributes: Mapping[str, str]) -> dict[str, Any]:
    """Payload of a region, with the tags of its scene and the photo that its vector was made from."""
    box = region.box
    return {
        "scene_id": region.scene_id,
        "product_id": region.product_id,
        "category": region.category,
        "proposed": int(region.proposed),
        "tags": tags(scene_attributes),
        "image_id": image_id,
        "box": [round(side, 2) for side in (box.x_min, box.y_min, box.x_max, box.y_max)],
    }


def region_of(point_id: str, payload: Payload) -> Region:
    """The region of a point."""
    return Region(
        region_id=point_id,
        scene_id=payload["scene_id"],
        box=Box(*(float(side) for side in payload["box"])),
        product_id=payload["product_id"],
        category=payload["category"],
        proposed=bool(payload["proposed"]),
    )


def _product_record(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.product_id,
        "title": product.title,
        "category": product.category,
        "price": product.price,
        "currency": product.currency,
        "url": product.url,
        "attributes": dict(sorted(product.attributes.items())),
    }


def _image_record(image: Image) -> dict[str, Any]:
    return {"image_id": image.image_id, "width_px": image.width_px, "height_px": image.height_px}


def _image_of(record: Mapping[str, Any]) -> Image:
    return Image(record["image_id"], record["width_px"], record["height_px"])


def _digest(content: Any) -> str:
    text = json.dumps([_PAYLOAD_VERSION, content], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
