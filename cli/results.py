"""Search results as table rows and as JSON. The JSON is stable: names are added, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from services.search.client import (
    Box,
    Product,
    ProductHit,
    ProductResults,
    Region,
    Scene,
    SceneHit,
    SceneResults,
)

PRODUCT_COLUMNS = ("#", "score", "product_id", "title", "category", "price")
SCENE_COLUMNS = ("#", "score", "scene_id", "region", "product_id", "category", "region_id")


def product_rows(hits: Sequence[ProductHit]) -> list[list[str]]:
    """One row a product."""
    return [
        [
            str(rank),
            f"{hit.score:.3f}",
            hit.product.product_id,
            hit.product.title,
            hit.product.category,
            price_text(hit.product),
        ]
        for rank, hit in enumerate(hits, 1)
    ]


def scene_rows(hits: Sequence[SceneHit]) -> list[list[str]]:
    """One row a matching region; the scene's rank in the first of its rows."""
    rows = []
    for rank, hit in enumerate(hits, 1):
        for number, found in enumerate(hit.regions):
            shown = found.region.product_id + (" (this product)" if found.shows_query_product else "")
            rows.append(
                [
                    str(rank) if number == 0 else "",
                    f"{found.score:.3f}",
                    hit.scene.scene_id,
                    box_text(found.region.box),
                    shown or ("proposed" if found.region.proposed else ""),
                    found.region.category,
                    found.region.region_id,
                ]
            )
    return rows


def products_as_json(hits: Sequence[ProductHit], page: ProductResults) -> dict[str, Any]:
    """Query 1 for a program."""
    return {
        **_answer(page),
        "hits": [
            {
                "rank": rank,
                "score": hit.score,
                "closest_image_id": hit.closest_image_id,
                "product": product_as_json(hit.product),
            }
            for rank, hit in enumerate(hits, 1)
        ],
    }


def scenes_as_json(hits: Sequence[SceneHit], page: SceneResults) -> dict[str, Any]:
    """Query 2 for a program."""
    return {
        **_answer(page),
        "hits": [
            {
                "rank": rank,
                "score": hit.score,
                "scene": scene_as_json(hit.scene),
                "regions": [
                    {
                        "score": found.score,
                        "shows_query_product": found.shows_query_product,
                        **region_as_json(found.region),
                    }
                    for found in hit.regions
                ],
            }
            for rank, hit in enumerate(hits, 1)
        ],
    }


def product_as_json(product: Product) -> dict[str, Any]:
    """A product with its image ids."""
    return {**asdict(product), "attributes": dict(product.attributes)}


def scene_as_json(scene: Scene, *, with_regions: bool = False) -> dict[str, Any]:
    """A scene, with its regions where they are known."""
    content: dict[str, Any] = {
        "scene_id": scene.scene_id,
        "image": asdict(scene.image),
        "attributes": dict(scene.attributes),
    }
    if with_regions:
        content["regions"] = [region_as_json(region) for region in scene.regions]
    return content


def region_as_json(region: Region) -> dict[str, Any]:
    """A region, its box in pixels of the upright photo."""
    return {
        "region_id": region.region_id,
        "box": box_as_json(region.box),
        "product_id": region.product_id,
        "category": region.category,
        "proposed": region.proposed,
    }


def box_as_json(box: Box) -> list[float]:
    """[x_min, y_min, x_max, y_max], pixels of the upright photo."""
    return [box.x_min, box.y_min, box.x_max, box.y_max]


def box_text(box: Box) -> str:
    """A box as --box takes it."""
    return ",".join(f"{value:g}" for value in box_as_json(box))


def price_text(product: Product) -> str:
    """The price with its currency, or nothing."""
    return "" if product.price is None else f"{product.price:,.2f} {product.currency}".rstrip()


def _answer(page: ProductResults | SceneResults) -> dict[str, Any]:
    return {
        "model_digest": page.model_digest,
        "low_confidence": page.low_confidence,
        "query_box": box_as_json(page.query_box) if page.query_box else None,
        "timing": asdict(page.timing),
    }
