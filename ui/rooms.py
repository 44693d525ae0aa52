"""Rooms as HTML: the example strip, and rooms that use a product with its boxes drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.search.client import RegionHit, Scene, SceneHit, ScenePage
from ui.images import CARD_SIDE_PX, LARGE_SIDE_PX, image_address
from ui.markup import text

# Boxes of one room that are less similar than its best by more than this (cosine) are not drawn.
SCORE_SPREAD = 0.1


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


def room_cards(used: Sequence[SceneHit], alike: Sequence[SceneHit]) -> str:
    """Rooms found for a product: those that use that very product first, then those with look-alikes."""
    parts = []
    if used:
        parts.append(_section("Rooms with this very product", used))
    if alike:
        parts.append(_section("Rooms with something like it", alike))
    return "".join(parts)


def near_best(hit: SceneHit) -> SceneHit:
    """The room with only those boxes that are nearly as similar as its best one."""
    regions = tuple(region for region in hit.regions if region.score >= hit.score - SCORE_SPREAD)
    return replace(hit, regions=regions)


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


def _section(heading: str, hits: Sequence[SceneHit]) -> str:
    cards = "".join(_room_card(hit) for hit in hits)
    return f'<section><h3>{text(heading)}</h3><ul class="rooms">{cards}</ul></section>'


def _room_card(hit: SceneHit) -> str:
    scene, image = hit.scene, hit.scene.image
    # To open with: the first is the most similar.
    chosen = hit.regions[0]
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
