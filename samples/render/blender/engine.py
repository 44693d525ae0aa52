"""Cycles settings shared by product pictures, rooms and masks."""

from pathlib import Path

import bpy
from mathutils import Vector


def use_cycles(scene: bpy.types.Scene, *, samples: int, threads: int, seed: int = 0) -> None:
    """Path tracing on the CPU, denoised; a fixed seed gives the same picture again."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.seed = seed
    scene.cycles.use_adaptive_sampling = True
    scene.cycles.adaptive_threshold = 0.03
    scene.cycles.use_denoising = True
    scene.cycles.denoiser = "OPENIMAGEDENOISE"
    scene.cycles.denoising_quality = "FAST"
    scene.cycles.denoising_prefilter = "FAST"
    scene.cycles.max_bounces = 5
    scene.cycles.diffuse_bounces = 3
    scene.cycles.glossy_bounces = 2
    scene.cycles.transmission_bounces = 2
    scene.cycles.transparent_max_bounces = 12
    scene.cycles.caustics_reflective = False
    scene.cycles.caustics_refractive = False
    scene.cycles.sample_clamp_indirect = 4.0
    scene.render.threads_mode = "FIXED"
    scene.render.threads = threads
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.compression = 10
    scene.render.dither_intensity = 0.0


def render_png(scene: bpy.types.Scene, path: Path, width_px: int, height_px: int) -> None:
    """Renders the scene's camera into a PNG of exactly this size."""
    scene.render.resolution_x = width_px
    scene.render.resolution_y = height_px
    scene.render.resolution_percentage = 100
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)


def add_area_light(
    name: str,
    location: tuple[float, float, float],
    target: tuple[float, float, float],
    size_m: tuple[float, float],
    watts: float,
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> bpy.types.Object:
    """A rectangular light that looks at a point and that no camera sees."""
    data = bpy.data.lights.new(name, "AREA")
    data.shape = "RECTANGLE"
    data.size, data.size_y = size_m
    data.energy = watts
    data.color = colour
    light = bpy.data.objects.new(name, data)
    light.location = location
    aim = Vector(target) - Vector(location)
    light.rotation_euler = aim.to_track_quat("-Z", "Y").to_euler()
    light.visible_camera = False
    bpy.context.scene.collection.objects.link(light)
    return light


def set_world(scene: bpy.types.Scene, colour: tuple[float, float, float], strength: float) -> None:
    """An even sky."""
    world = bpy.data.worlds.new("sky")
    world.use_nodes = True
    background = world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*colour, 1.0)
    background.inputs["Strength"].default_value = strength
    scene.world = world
