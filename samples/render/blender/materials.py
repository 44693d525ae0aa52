"""Procedural materials of a room's shell, and the flat ID materials of its mask."""

import bpy

Rgb = tuple[float, float, float]


def paint(name: str, colour: Rgb, roughness: float = 0.8) -> bpy.types.Material:
    """A plain matt paint."""
    material, shader = _principled(name)
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return material


def floor(kind: str, light: Rgb, dark: Rgb, seed: int) -> bpy.types.Material:
    """Planks, tiles, carpet or concrete, in metres of the floor's own coordinates."""
    material, shader = _principled(f"floor {kind}")
    nodes, links = material.node_tree.nodes, material.node_tree.links
    where = nodes.new("ShaderNodeTexCoord")
    if kind in ("planks", "tiles"):
        brick = nodes.new("ShaderNodeTexBrick")
        planks = kind == "planks"
        brick.inputs["Scale"].default_value = 1.0
        brick.inputs["Brick Width"].default_value = 1.3 if planks else 0.6
        brick.inputs["Row Height"].default_value = 0.13 if planks else 0.6
        brick.inputs["Mortar Size"].default_value = 0.0015 if planks else 0.004
        brick.inputs["Bias"].default_value = 0.0
        brick.offset = 0.37 if planks else 0.0
        brick.inputs["Color1"].default_value = (*light, 1.0)
        brick.inputs["Color2"].default_value = (*dark, 1.0)
        brick.inputs["Mortar"].default_value = (*(c * 0.45 for c in dark), 1.0)
        links.new(where.outputs["Object"], brick.inputs["Vector"])
        colour = brick.outputs["Color"]
        shader.inputs["Roughness"].default_value = 0.42 if planks else 0.3
    else:
        noise = nodes.new("ShaderNodeTexNoise")
        noise.inputs["Scale"].default_value = 220.0 if kind == "carpet" else 2.5
        noise.inputs["Detail"].default_value = 4.0
        links.new(where.outputs["Object"], noise.inputs["Vector"])
        colour = _ramp(material, noise.outputs["Fac"], dark, light)
        shader.inputs["Roughness"].default_value = 0.95 if kind == "carpet" else 0.5
    if kind == "planks":
        grain = nodes.new("ShaderNodeTexNoise")
        stretch = nodes.new("ShaderNodeMapping")
        stretch.inputs["Scale"].default_value = (2.0, 40.0, 1.0)
        stretch.inputs["Location"].default_value = (seed % 17, 0.0, 0.0)
        grain.inputs["Detail"].default_value = 6.0
        links.new(where.outputs["Object"], stretch.inputs["Vector"])
        links.new(stretch.outputs["Vector"], grain.inputs["Vector"])
        colour = _multiply(material, colour, _ramp(material, grain.outputs["Fac"], (0.7,) * 3, (1.1,) * 3))
    links.new(colour, shader.inputs["Base Color"])
    return material


def weave(one: Rgb, two: Rgb, seed: int) -> bpy.types.Material:
    """A woven rug: broad bands or a fine check."""
    material, shader = _principled("weave")
    nodes, links = material.node_tree.nodes, material.node_tree.links
    where = nodes.new("ShaderNodeTexCoord")
    if seed % 2:
        pattern = nodes.new("ShaderNodeTexWave")
        pattern.inputs["Scale"].default_value = 1.2
        pattern.wave_profile = "TRI"
        links.new(where.outputs["Object"], pattern.inputs["Vector"])
        factor = pattern.outputs["Fac"]
    else:
        pattern = nodes.new("ShaderNodeTexChecker")
        pattern.inputs["Scale"].default_value = 9.0
        links.new(where.outputs["Object"], pattern.inputs["Vector"])
        factor = pattern.outputs["Fac"]
    links.new(_ramp(material, factor, one, two), shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.95
    return material


def glow(name: str, colour: Rgb, strength: float) -> bpy.types.Material:
    """An even light-emitting surface."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    emission = nodes.new("ShaderNodeEmission")
    emission.inputs["Color"].default_value = (*colour, 1.0)
    emission.inputs["Strength"].default_value = strength
    out = nodes.new("ShaderNodeOutputMaterial")
    links.new(emission.outputs["Emission"], out.inputs["Surface"])
    return material


def flatten_to_id(material: bpy.types.Material) -> None:
    """Makes a material emit its object's pass index over 255; what its texture cuts out stays cut out."""
    nodes, links = material.node_tree.nodes, material.node_tree.links
    out = next((n for n in nodes if n.type == "OUTPUT_MATERIAL" and n.is_active_output), None)
    out = out or nodes.new("ShaderNodeOutputMaterial")
    shader = next((n for n in nodes if n.type == "BSDF_PRINCIPLED"), None)
    emission = nodes.new("ShaderNodeEmission")
    which, scale = nodes.new("ShaderNodeObjectInfo"), nodes.new("ShaderNodeMath")
    scale.operation = "DIVIDE"
    scale.inputs[1].default_value = 255.0
    links.new(which.outputs["Object Index"], scale.inputs[0])
    links.new(scale.outputs[0], emission.inputs["Color"])
    surface = emission.outputs["Emission"]
    if shader is not None and shader.inputs["Alpha"].is_linked:
        solid = nodes.new("ShaderNodeMath")
        solid.operation = "GREATER_THAN"
        solid.inputs[1].default_value = 0.5
        links.new(shader.inputs["Alpha"].links[0].from_socket, solid.inputs[0])
        clear, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
        links.new(solid.outputs[0], mix.inputs[0])
        links.new(clear.outputs[0], mix.inputs[1])
        links.new(surface, mix.inputs[2])
        surface = mix.outputs[0]
    links.new(surface, out.inputs["Surface"])


def _principled(name: str) -> tuple[bpy.types.Material, bpy.types.Node]:
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Specular IOR Level"].default_value = 0.35
    return material, shader


def _ramp(
    material: bpy.types.Material, factor: bpy.types.NodeSocket, one: Rgb, two: Rgb
) -> bpy.types.NodeSocket:
    ramp = material.node_tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements[0].position, ramp.color_ramp.elements[1].position = 0.3, 0.7
    ramp.color_ramp.elements[0].color = (*one, 1.0)
    ramp.color_ramp.elements[1].color = (*two, 1.0)
    material.node_tree.links.new(factor, ramp.inputs["Fac"])
    return ramp.outputs["Color"]


def _multiply(
    material: bpy.types.Material, one: bpy.types.NodeSocket, two: bpy.types.NodeSocket
) -> bpy.types.NodeSocket:
    mix = material.node_tree.nodes.new("ShaderNodeMix")
    mix.data_type, mix.blend_type = "RGBA", "MULTIPLY"
    mix.inputs[0].default_value = 1.0
    material.node_tree.links.new(one, mix.inputs[6])
    material.node_tree.links.new(two, mix.inputs[7])
    return mix.outputs[2]
