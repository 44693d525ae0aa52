"""Builds the empty room: walls with a window, floor, ceiling, skirting, curtains, rug, pictures, light."""

import math

import bpy

from samples.render.blender import materials
from samples.render.blender.engine import add_area_light, set_world
from samples.render.rooms import CURTAIN_M, RoomPlan

_WALL_M, _SKIRTING_M = 0.15, 0.08
_WHITE = (0.78, 0.78, 0.76)
# (sky colour, its strength, window light watts per m2 of window, sun strength, sun height, warm fill)
_SKY = {
    "morning sun": ((0.80, 0.90, 1.0), 2.2, 40.0, 4.0, 28.0, 1.7),
    "overcast day": ((0.92, 0.95, 1.0), 2.0, 52.0, 0.0, 45.0, 1.8),
    "afternoon sun": ((0.95, 0.93, 0.88), 2.4, 40.0, 5.0, 40.0, 1.7),
    "evening": ((0.10, 0.16, 0.32), 0.25, 3.0, 0.0, 45.0, 2.2),
}


def build_shell(plan: RoomPlan) -> None:
    """Adds everything of the room that is no product. Nothing of it has a pass index."""
    w, d, h, t = plan.width_m, plan.depth_m, plan.height_m, _WALL_M
    wall, accent = (
        materials.paint(n, c) for n, c in (("wall", plan.finish.paint), ("accent", plan.finish.accent))
    )
    white = materials.paint("white", _WHITE, 0.5)
    _box("floor", (0, 0, -t), (w, d, 0), materials.floor(*plan.finish.floor, plan.seed))
    _box("ceiling", (0, 0, h), (w, d, h + t), white)
    _box("back", (-t, d, 0), (w + t, d + t, h), accent)
    _box("front", (-t, -t, 0), (w + t, 0, h), wall)
    for side in ("left", "right"):
        x0, x1 = (-t, 0.0) if side == "left" else (w, w + t)
        if side == plan.window.wall:
            _window_wall(plan, x0, x1, wall, white)
        else:
            _box(side, (x0, 0, 0), (x1, d, h), wall)
    s = _SKIRTING_M
    _box("skirting", (0, d - 0.012, 0), (w, d, s), white)
    _box("skirting", (0, 0, 0), (0.012, d, s), white)
    _box("skirting", (w - 0.012, 0, 0), (w, d, s), white)
    _dress(plan)
    _light(plan)


def _dress(plan: RoomPlan) -> None:
    for picture in plan.finish.pictures:
        _picture(plan, picture.x, picture.z, picture.width_m, picture.height_m, picture.colours)
    if plan.finish.curtain:
        cloth = materials.paint("curtain", plan.finish.curtain, 0.95)
        _curtain(plan, plan.window.y0 - CURTAIN_M + 0.02, cloth)
        _curtain(plan, plan.window.y1 - 0.02, cloth)
    if plan.finish.rug:
        f = plan.focus
        x, y = (f.x0 + f.x1) / 2, max(1.2, f.y0 - 0.55) if f.y1 > plan.depth_m - 0.4 else (f.y0 + f.y1) / 2
        half_x, half_y = min(1.35, x - 0.25, plan.width_m - x - 0.25), 0.85
        weave = materials.weave(*plan.finish.rug, plan.seed)
        _box(
            "rug",
            (x - half_x, y - half_y, 0),
            (x + half_x, min(plan.depth_m - 0.1, y + half_y), 0.006),
            weave,
        )


def _light(plan: RoomPlan) -> None:
    w, d, h, window = plan.width_m, plan.depth_m, plan.height_m, plan.window
    colour, strength, per_m2, sun, sun_height, fill = _SKY[plan.light]
    set_world(bpy.context.scene, colour, strength)
    size = (window.y1 - window.y0, window.z1 - window.z0)
    x, inward = (0.03, 1.0) if window.wall == "left" else (w - 0.03, -1.0)
    y, z = (window.y0 + window.y1) / 2, (window.z0 + window.z1) / 2
    tint = (0.5 + 0.5 * colour[0], 0.5 + 0.5 * colour[1], 0.5 + 0.5 * colour[2])
    add_area_light("window", (x, y, z), (x + inward, y, z - 0.35), size, per_m2 * size[0] * size[1], tint)
    evening = plan.light == "evening"
    warm = (1.0, 0.78, 0.55) if evening else (1.0, 0.96, 0.9)
    add_area_light(
        "fill", (w / 2, d / 2, h - 0.02), (w / 2, d / 2, 0), (w * 0.8, d * 0.8), fill * w * d * 0.55, warm
    )
    if sun:
        data = bpy.data.lights.new("sun", "SUN")
        data.energy, data.angle = sun, math.radians(1.0)
        data.color = (1.0, 0.9, 0.76)
        light = bpy.data.objects.new("sun", data)
        lean = math.radians(90 - sun_height)
        light.rotation_euler = (math.radians(18), -lean * inward, 0)
        bpy.context.scene.collection.objects.link(light)
    for placed in plan.placed:
        if "lamps" in placed.item.category.lower() and (evening or placed.item.category == "Ceiling lamps"):
            hung = placed.item.category == "Ceiling lamps"
            level = placed.z - 0.1 if hung else placed.z + placed.item.height_m + 0.06
            data = bpy.data.lights.new("bulb", "POINT")
            data.energy = (26.0 if hung else 11.0) if evening else 5.0
            data.color, data.shadow_soft_size = (1.0, 0.72, 0.45), 0.08
            bulb = bpy.data.objects.new("bulb", data)
            bulb.location = (placed.x, placed.y, level)
            bpy.context.scene.collection.objects.link(bulb)


def _window_wall(
    plan: RoomPlan, x0: float, x1: float, wall: bpy.types.Material, white: bpy.types.Material
) -> None:
    d, h, o = plan.depth_m, plan.height_m, plan.window
    _box("wall", (x0, 0, 0), (x1, o.y0, h), wall)
    _box("wall", (x0, o.y1, 0), (x1, d, h), wall)
    _box("wall", (x0, o.y0, 0), (x1, o.y1, o.z0), wall)
    _box("wall", (x0, o.y0, o.z1), (x1, o.y1, h), wall)
    middle_x, bar = (x0 + x1) / 2, 0.025
    for y in (o.y0 + bar, (o.y0 + o.y1) / 2, o.y1 - bar):
        _box("frame", (middle_x - bar, y - bar, o.z0), (middle_x + bar, y + bar, o.z1), white)
    for z in (o.z0 + bar, o.z1 - bar):
        _box("frame", (middle_x - bar, o.y0, z - bar), (middle_x + bar, o.y1, z + bar), white)
    inner = (x1 - 0.02, x1 + 0.06) if o.wall == "left" else (x0 - 0.06, x0 + 0.02)
    _box("sill", (inner[0], o.y0 - 0.05, o.z0 - 0.03), (inner[1], o.y1 + 0.05, o.z0), white)


def _picture(
    plan: RoomPlan,
    x: float,
    z: float,
    width: float,
    height: float,
    colours: tuple[materials.Rgb, materials.Rgb],
) -> None:
    """A framed field of two colours."""
    y, half_w, half_h = plan.depth_m, width / 2, height / 2
    dark = materials.paint("frame", (0.05, 0.045, 0.04), 0.4)
    _box("frame", (x - half_w, y - 0.03, z - half_h), (x + half_w, y - 0.004, z + half_h), dark)
    e = 0.025
    split = z - half_h + height * (0.38 if width > height else 0.6)
    low, high = (materials.paint("canvas", c, 0.7) for c in colours)
    _box("low", (x - half_w + e, y - 0.033, z - half_h + e), (x + half_w - e, y - 0.028, split), low)
    _box("high", (x - half_w + e, y - 0.033, split), (x + half_w - e, y - 0.028, z + half_h - e), high)


def _curtain(plan: RoomPlan, y0: float, cloth: bpy.types.Material) -> None:
    """A hanging cloth with folds, beside the window."""
    steps, folds, top = 60, 5, min(plan.height_m - 0.08, plan.window.z1 + 0.15)
    x, inward = (0.09, 1.0) if plan.window.wall == "left" else (plan.width_m - 0.09, -1.0)
    points = []
    for step in range(steps + 1):
        share = step / steps
        bend = x + inward * 0.035 * math.sin(share * folds * 2 * math.pi)
        points += [(bend, y0 + share * CURTAIN_M, z) for z in (0.03, top)]
    faces = [(2 * k, 2 * k + 2, 2 * k + 3, 2 * k + 1) for k in range(steps)]
    mesh = bpy.data.meshes.new("curtain")
    mesh.from_pydata(points, [], faces)
    mesh.polygons.foreach_set("use_smooth", [True] * len(faces))
    _add(mesh, "curtain", cloth)


def _box(
    name: str,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    material: bpy.types.Material,
) -> bpy.types.Object:
    corners = [(x, y, z) for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(corners, [], faces)
    return _add(mesh, name, material)


def _add(mesh: bpy.types.Mesh, name: str, material: bpy.types.Material) -> bpy.types.Object:
    mesh.materials.append(material)
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing
