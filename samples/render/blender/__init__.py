"""Everything that needs Blender (`bpy`); no other package imports it."""
