"""Renders products and furnished rooms, with exact boxes, from freely licensed 3D models.

Only `samples.render.blender` needs Blender; everything else is plain Python and is tested without it.
"""
