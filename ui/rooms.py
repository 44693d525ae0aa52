"""Rooms as HTML: the example strip, and rooms that use a product with its boxes drawn."""

from __future__ import annotations

from collections.abc import Sequence

from services.search.client import RegionHit, Scene, SceneHit, ScenePage
from ui.images import CARD_SIDE_PX, LARGE_SIDE_PX, image_address
from ui.markup import text


def example_strip(page: ScenePage, *, is_first: bool = True) -> str:
    """Small pictures of rooms to start with."""
    if not page.scenes:
        return ""
    items = [
        '<li><button type="button" class="example" data-event="scene" '
        f'data-scene="{text(scene.scene_id)}" '
        f'aria-label="Open the example room {number}, {text(room_name(scene))}">'
        f'<img src="{text(image_address(scene.image.image_id, CARD_SIDE_PX))}" alt="" loading="lazy" />'
        "</button></li>"
        for number, scene in enumerate(page.scenes, start=1)
    ]
    if not is_first:
        items.insert(0, _turn("", "First rooms"))
    if page.next_page_token:
        items.append(_turn(page.next_page_token, "More rooms"))
    return f'<h2 class="strip-title">Or try a room</h2><ul class="strip">{"".join(items)}</ul>'


def room_cards(hits: Sequence[SceneHit]) -> str:
    """Rooms found for a product: those that use it exactly first, then those with look-alikes."""
    used = [hit for hit in hits if _uses_product(hit)]
    alike = [hit for hit in hits if not _uses_product(hit)]
    parts = []
    if used:
        parts.append(_section("Rooms with this very product", used))
    if alike:
        parts.append(_section("Rooms with something like it", alike))
    return "".join(parts)


def room_name(scene: Scene) -> str:
    """What to call a room: its kind where the catalogue says it, else its id."""
    for key in ("room", "title", "name", "room_type"):
        if scene.attributes.get(key):
            return scene.attributes[key]
    return scene.scene_id


def _turn(token: str, label: str) -> str:
    return (
        f'<li><button type="button" class="more" data-event="more" data-token="{text(token)}">'
        f"{label}</button></li>"
    )


def _uses_product(hit: SceneHit) -> bool:
    return any(region.shows_query_product for region in hit.regions)


def _section(heading: str, hits: Sequence[SceneHit]) -> str:
    cards = "".join(_room_card(hit) for hit in hits)
    return f'<section><h3>{text(heading)}</h3><ul class="rooms">{cards}</ul></section>'


def _room_card(hit: SceneHit) -> str:
    scene, image = hit.scene, hit.scene.image
    # The region to open with: the one that shows the product, else the best.
    chosen = next((region for region in hit.regions if region.shows_query_product), hit.regions[0])
    caption = f"{room_name(scene)}, similarity {hit.score:.2f}"
    ratio = image.width_px / image.height_px if image.height_px else 1.0
    boxes = "".join(_rectangle(region) for region in reversed(hit.regions))  # the best on top
    return (
        f'<li style="--ratio: {ratio:.4f}"><button type="button" class="room" data-event="scene" '
        f'data-scene="{text(scene.scene_id)}" '
        f'data-region="{text(chosen.region.region_id)}" aria-label="{text(caption)}: open this room">'
        f'<span class="room-picture" style="aspect-ratio: {image.width_px} / {image.height_px}">'
        f'<img src="{text(image_address(image.image_id, LARGE_SIDE_PX))}" alt="" loading="lazy" />'
        f'<svg viewBox="0 0 {image.width_px} {image.height_px}" aria-hidden="true">{boxes}</svg></span>'
        f'<span class="line"><span>{text(room_name(scene))}</span><b>{hit.score:.2f}</b></span></button></li>'
    )


def _rectangle(hit: RegionHit) -> str:
    box = hit.region.box
    kind = "exact" if hit.shows_query_product else "alike"
    place = f'x="{box.x_min:g}" y="{box.y_min:g}" width="{box.width:g}" height="{box.height:g}"'
    return f'<rect class="halo" {place} /><rect class="{kind}" {place} />'
