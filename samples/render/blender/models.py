"""Loads a model into Blender: one mesh of real size, standing on z = 0, its front towards -Y."""

import math
from pathlib import Path

import bpy

# isort: split
import bmesh  # type: ignore[import-not-found,unused-ignore]  # only there once bpy is imported
from mathutils import Matrix, Vector
from mathutils.bvhtree import BVHTree

from samples.render.library import Model, extract_model

GRID = 24
# OBJ is Y up with the front towards +Z; Blender is Z up, and we keep fronts towards -Y.
_OBJ_TO_BLENDER = Matrix(((1, 0, 0), (0, 0, -1), (0, 1, 0)))
_MAX_ALBEDO, _MIN_ALBEDO = 0.8, 0.012
_GLASS_ALPHA = 0.28


class ModelBroken(Exception):
    """The model has no usable geometry."""


def clear_scene() -> bpy.types.Scene:
    """Empties the file: every object, mesh, material and image of the last picture goes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return bpy.context.scene


def load_model(model: Model, cache: Path) -> bpy.types.Object:
    """The model as one object in metres, centred on x = y = 0. Raises ModelBroken if it is empty."""
    obj_path = extract_model(model, cache)
    before = set(bpy.data.objects)
    # Some files end with an unfinished line or name a missing material library; Blender imports the rest.
    bpy.ops.wm.obj_import(filepath=str(obj_path), forward_axis="NEGATIVE_Z", up_axis="Y")
    parts = [o for o in bpy.data.objects if o not in before and o.type == "MESH" and o.data.polygons]
    if not parts:
        raise ModelBroken(f"{model.key}: no faces")
    thing = _joined(parts)
    thing.name = model.key
    drop_twin_faces(thing)
    _stand_at_size(thing, model)
    for slot in thing.material_slots:
        if slot.material is None:
            slot.material = bpy.data.materials.new("plain")
        _repair_material(slot.material, _only_texture(thing, obj_path.parent))
    return thing


def drop_twin_faces(thing: bpy.types.Object) -> int:
    """Removes faces that lie exactly on another one: they shade each other black. Returns how many."""
    mesh = bmesh.new()
    mesh.from_mesh(thing.data)
    seen: set[frozenset[tuple[float, ...]]] = set()
    twins = []
    extent = max(thing.dimensions) or 1.0
    for face in mesh.faces:
        corners = frozenset(tuple(round(c / extent, 5) for c in v.co) for v in face.verts)
        if corners in seen and len(corners) > 2:
            twins.append(face)
        seen.add(corners)
    if twins:
        bmesh.ops.delete(mesh, geom=twins, context="FACES")
        mesh.to_mesh(thing.data)
    mesh.free()
    return len(twins)


def height_grid(thing: bpy.types.Object, cells: int = GRID) -> list[list[float]]:
    """Height of the topmost face over each cell of the bounding rectangle, in centimetres; -1: nothing.

    Rows run from the front (-Y) to the back, columns from left to right.
    """
    tree = BVHTree.FromPolygons(
        [v.co for v in thing.data.vertices], [tuple(p.vertices) for p in thing.data.polygons]
    )
    low, high = _bounds(thing)
    grid: list[list[float]] = []
    for row in range(cells):
        y = low.y + (high.y - low.y) * (row + 0.5) / cells
        heights = []
        for column in range(cells):
            x = low.x + (high.x - low.x) * (column + 0.5) / cells
            hit = tree.ray_cast(Vector((x, y, high.z + 1)), Vector((0, 0, -1)))[0]
            heights.append(-1.0 if hit is None else round(hit.z * 100, 1))
        grid.append(heights)
    return grid


def _joined(parts: list[bpy.types.Object]) -> bpy.types.Object:
    for part in parts:
        part.data.transform(part.matrix_world)
        part.matrix_world = Matrix.Identity(4)
    if len(parts) > 1:
        with bpy.context.temp_override(active_object=parts[0], selected_editable_objects=parts):
            bpy.ops.object.join()
    return parts[0]


def _bounds(thing: bpy.types.Object) -> tuple[Vector, Vector]:
    points = [v.co for v in thing.data.vertices]
    low = Vector(min(p[axis] for p in points) for axis in range(3))
    high = Vector(max(p[axis] for p in points) for axis in range(3))
    return low, high


def _stand_at_size(thing: bpy.types.Object, model: Model) -> None:
    r = model.rotation
    turn = Matrix((r[0:3], r[3:6], r[6:9]))
    turn = _OBJ_TO_BLENDER @ turn @ _OBJ_TO_BLENDER.transposed()
    thing.data.transform(turn.to_4x4())
    low, high = _bounds(thing)
    extent = high - low
    wanted = (model.width_cm / 100, model.depth_cm / 100, model.height_cm / 100)
    if max(extent) <= 0 or not all(math.isfinite(e) for e in extent):
        raise ModelBroken(f"{model.key}: no extent")
    scale = [w / e if e > 1e-9 else 1.0 for w, e in zip(wanted, extent, strict=True)]
    middle = Vector(((low.x + high.x) / 2, (low.y + high.y) / 2, low.z))
    thing.data.transform(Matrix.Diagonal((*scale, 1.0)) @ Matrix.Translation(-middle))
    thing.data.update()


def _only_texture(thing: bpy.types.Object, folder: Path) -> Path | None:
    """The picture that a lone material must mean where it names one that is not there."""
    pictures = [f for f in folder.iterdir() if f.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return pictures[0] if len(pictures) == len(thing.material_slots) == 1 else None


def _repair_material(material: bpy.types.Material, only_texture: Path | None) -> None:
    """Brings what the OBJ stated into the range that Cycles renders believably."""
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next((n for n in nodes if n.type == "BSDF_PRINCIPLED"), None)
    if shader is None:
        return
    inputs = shader.inputs
    for node in [n for n in nodes if n.type == "TEX_IMAGE"]:
        # A texture that the library lacks would render magenta.
        if node.image is None or not Path(bpy.path.abspath(node.image.filepath)).is_file():
            if only_texture and node.outputs["Color"].is_linked:
                node.image = bpy.data.images.load(str(only_texture))
            else:
                nodes.remove(node)
    if not inputs["Base Color"].is_linked:
        colour = inputs["Base Color"].default_value
        inputs["Base Color"].default_value = (
            *(min(_MAX_ALBEDO, max(_MIN_ALBEDO, c)) for c in colour[:3]),
            1.0,
        )
    else:
        source = inputs["Base Color"].links[0].from_node
        # Leaves cut out of a card keep their outline in the texture's own alpha.
        if source.type == "TEX_IMAGE" and source.image.depth == 32 and not inputs["Alpha"].is_linked:
            links.new(source.outputs["Alpha"], inputs["Alpha"])
    glassy = not inputs["Alpha"].is_linked and inputs["Alpha"].default_value < 0.95
    if inputs["Transmission Weight"].default_value > 0.3 or glassy:
        # Refraction needs many samples; thin tinted transparency reads as glass at once.
        inputs["Transmission Weight"].default_value = 0.0
        if not inputs["Alpha"].is_linked:
            inputs["Alpha"].default_value = max(_GLASS_ALPHA, min(0.95, inputs["Alpha"].default_value))
            if inputs["Alpha"].default_value > 0.9:
                inputs["Alpha"].default_value = _GLASS_ALPHA
    if not inputs["Metallic"].is_linked:
        inputs["Metallic"].default_value = 0.7 if inputs["Metallic"].default_value > 0.5 else 0.0
    if not inputs["Roughness"].is_linked:
        inputs["Roughness"].default_value = max(0.25, inputs["Roughness"].default_value)
    inputs["IOR"].default_value = 1.45  # several libraries state 0 or 1
    inputs["Specular IOR Level"].default_value = min(0.5, inputs["Specular IOR Level"].default_value)
    inputs["Emission Strength"].default_value = 0.0  # some vases state that they glow
