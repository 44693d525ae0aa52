"""Iconic images: one product on white, framed by its own outline, with a soft contact shadow."""

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
from mathutils import Matrix, Vector

from samples.render.blender.engine import add_area_light, render_png, set_world, use_cycles
from samples.render.blender.models import clear_scene, height_grid, load_model
from samples.render.library import Model

FILL = 0.8
_SENSOR_MM = 36.0
_DISTANCE = 5.0  # in radii of the product: long enough to keep verticals calm


@dataclass(frozen=True)
class View:
    """Where the camera stands: degrees to the right of the front, degrees above the middle."""

    azimuth_deg: float
    elevation_deg: float
    on_floor: bool


def shoot_product(
    model: Model, view: View, png: Path, *, cache: Path, side_px: int, samples: int, threads: int
) -> list[list[float]]:
    """Renders the product with a transparent background; returns its height grid (centimetres)."""
    scene = clear_scene()
    thing = load_model(model, cache)
    grid = height_grid(thing)
    points = [v.co.copy() for v in thing.data.vertices]
    middle = Vector((0, 0, model.height_cm / 200))
    radius = max((p - middle).length for p in points)
    # At radius 1 the same lights suit a spoon and a wardrobe.
    scaled = Matrix.Scale(1 / radius, 4) @ Matrix.Translation(-middle)
    thing.matrix_world = scaled
    _aim_camera(scene, [scaled @ p for p in points], view)
    floor_z = -middle.z / radius
    if view.on_floor:
        bpy.ops.mesh.primitive_plane_add(size=40, location=(0, 0, floor_z - 0.001))
        bpy.context.object.is_shadow_catcher = True
    side = math.copysign(1.0, view.azimuth_deg)
    add_area_light("key", (-2.6 * side, -2.6, 3.4), (0, 0, 0), (2.5, 2.5), 210)
    add_area_light("rim", (2.5 * side, 2.4, 2.2), (0, 0, 0), (2.0, 2.0), 90)
    set_world(scene, (1.0, 1.0, 1.0), 0.42)
    use_cycles(scene, samples=samples, threads=threads)
    scene.render.film_transparent = True
    scene.render.image_settings.color_mode = "RGBA"
    scene.view_settings.view_transform = "Standard"
    render_png(scene, png, side_px, side_px)
    return grid


def _aim_camera(scene: bpy.types.Scene, points: list[Vector], view: View) -> None:
    azimuth, elevation = math.radians(view.azimuth_deg), math.radians(view.elevation_deg)
    towards = Vector(
        (
            math.sin(azimuth) * math.cos(elevation),
            -math.cos(azimuth) * math.cos(elevation),
            math.sin(elevation),
        )
    )
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    camera.location = towards * _DISTANCE
    camera.rotation_euler = (-towards).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.update()
    inverse = camera.matrix_world.inverted()
    seen = [inverse @ p for p in points]
    xs = [p.x / -p.z for p in seen]
    ys = [p.y / -p.z for p in seen]
    extent = max(max(xs) - min(xs), max(ys) - min(ys))
    # A pinhole's picture scales with its lens, so the framing is exact without a trial render.
    data.sensor_width = _SENSOR_MM
    data.lens = FILL * _SENSOR_MM / extent
    data.shift_x = (max(xs) + min(xs)) / 2 * FILL / extent
    data.shift_y = (max(ys) + min(ys)) / 2 * FILL / extent
