"""In-situ images: a planned room, its picture, and the ID masks that give the exact boxes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector
from PIL import Image

from samples.render.blender.engine import render_png, use_cycles
from samples.render.blender.materials import flatten_to_id
from samples.render.blender.models import clear_scene, load_model
from samples.render.blender.shell import build_shell
from samples.render.library import Model
from samples.render.rooms import RoomPlan
from samples.render.truth import Mask

_SHIFT_Y = -0.11  # a level camera that looks a little down keeps verticals vertical
_TARGET_LUMA = 0.55
_OVERSCAN = 2.0


@dataclass(frozen=True)
class SceneImages:
    """A picture's mask (H, W), 0 the room, i + 1 the plan's thing i, and each ID's whole area in pixels."""

    mask: Mask
    whole_px: dict[int, float]


def shoot_room(
    plan: RoomPlan,
    models: Mapping[str, Model],
    png: Path,
    *,
    cache: Path,
    width_px: int,
    height_px: int,
    samples: int,
    threads: int,
) -> SceneImages:
    """Renders the room into `png` and measures what of each thing is seen. Models go by product id."""
    scene = clear_scene()
    build_shell(plan)
    things = _furnish(plan, models, cache)
    camera = _add_camera(scene, plan)
    scene.view_settings.view_transform = "Khronos PBR Neutral"  # keeps the products' own colours
    _expose(scene, png.with_suffix(".preview.png"), threads, plan.seed)
    use_cycles(scene, samples=samples, threads=threads, seed=plan.seed % 100_000)
    render_png(scene, png, width_px, height_px)
    return _measure(scene, camera, things, png.with_suffix(".mask.png"), width_px, height_px)


def _furnish(plan: RoomPlan, models: Mapping[str, Model], cache: Path) -> list[bpy.types.Object]:
    loaded: dict[str, bpy.types.Object] = {}
    things = []
    for index, placed in enumerate(plan.placed):
        product_id = placed.item.product_id
        if product_id in loaded:
            thing = loaded[product_id].copy()  # the mesh is shared
            bpy.context.scene.collection.objects.link(thing)
        else:
            thing = loaded[product_id] = load_model(models[product_id], cache)
        turn = Matrix.Rotation(math.radians(placed.yaw_deg), 4, "Z")
        thing.matrix_world = Matrix.Translation((placed.x, placed.y, placed.z)) @ turn
        thing.pass_index = index + 1
        things.append(thing)
    return things


def _add_camera(scene: bpy.types.Scene, plan: RoomPlan) -> bpy.types.Object:
    data = bpy.data.cameras.new("camera")
    data.sensor_width, data.lens, data.shift_y = 36.0, plan.camera.lens_mm, _SHIFT_Y
    data.clip_start = 0.02
    camera = bpy.data.objects.new("camera", data)
    camera.location = (plan.camera.x, plan.camera.y, plan.camera.z)
    aim = Vector((plan.camera.look_x, plan.camera.look_y, plan.camera.z)) - camera.location
    camera.rotation_euler = aim.to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def _expose(scene: bpy.types.Scene, png: Path, threads: int, seed: int) -> None:
    """Sets the exposure from a thumbnail, as a photographer would."""
    use_cycles(scene, samples=6, threads=threads, seed=seed % 100_000)
    scene.cycles.use_denoising = False
    for _ in range(2):
        render_png(scene, png, 120, 80)
        with Image.open(png) as preview:
            luma = float(np.asarray(preview.convert("L"), dtype=np.float32).mean()) / 255
        scene.view_settings.exposure += 1.6 * math.log2(_TARGET_LUMA / max(luma, 0.02))
    png.unlink()


def _measure(
    scene: bpy.types.Scene,
    camera: bpy.types.Object,
    things: list[bpy.types.Object],
    png: Path,
    width_px: int,
    height_px: int,
) -> SceneImages:
    for material in bpy.data.materials:
        material.use_nodes = True
        flatten_to_id(material)
    for light in [o for o in bpy.data.objects if o.type == "LIGHT"]:
        bpy.data.objects.remove(light)
    scene.world = None
    use_cycles(scene, samples=1, threads=scene.render.threads)
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.max_bounces = 0
    scene.cycles.transparent_max_bounces = 32
    scene.cycles.pixel_filter_type, scene.cycles.filter_width = "BOX", 0.01
    scene.view_settings.view_transform, scene.view_settings.look = "Raw", "None"
    scene.view_settings.exposure = 0.0
    scene.render.image_settings.color_mode = "BW"
    mask = _render_mask(scene, png, width_px, height_px)
    for other in bpy.data.objects:
        if other.type == "MESH":
            other.hide_render = True
    # Alone, and with twice the field of view: what it would cover unhidden and uncut.
    camera.data.lens /= _OVERSCAN
    camera.data.shift_y /= _OVERSCAN
    whole = {}
    for number in [n for n in range(1, len(things) + 1) if (mask == n).any()]:
        things[number - 1].hide_render = False
        alone = _render_mask(scene, png, width_px, height_px)
        whole[number] = float((alone == number).sum()) * _OVERSCAN**2
        things[number - 1].hide_render = True
    png.unlink()
    return SceneImages(mask, whole)


def _render_mask(scene: bpy.types.Scene, png: Path, width_px: int, height_px: int) -> Mask:
    render_png(scene, png, width_px, height_px)
    with Image.open(png) as image:
        return np.asarray(image.convert("L"), dtype=np.uint8)
