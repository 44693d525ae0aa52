"""Boxes for a scene that nobody has drawn boxes in: overlapping windows of several sizes and shapes."""

from __future__ import annotations

from services.imaging import Box, BoxRefused

# (columns, rows, width, height): windows of that fraction of the photo, spread evenly over it. Wide ones
# suit sofas and beds, tall ones lamps and shelves; 54 in all, so that one embedder call takes them.
_LAYERS = (
    (2, 2, 3 / 4, 3 / 4),
    (3, 3, 1 / 2, 1 / 2),
    (2, 3, 2 / 3, 1 / 2),
    (5, 2, 1 / 3, 2 / 3),
    (5, 5, 1 / 3, 1 / 3),
)


def propose_boxes(width_px: int, height_px: int) -> tuple[Box, ...]:
    """Windows in upright pixels, whole numbers, largest first; the whole photo where it is tiny."""
    boxes = []
    for columns, rows, width, height in _LAYERS:
        for row in range(rows):
            for column in range(columns):
                left = column * (1 - width) / (columns - 1) * width_px
                top = row * (1 - height) / (rows - 1) * height_px
                right, bottom = left + width * width_px, top + height * height_px
                box = Box(round(left), round(top), round(right), round(bottom))
                try:
                    boxes.append(box.clipped(width_px, height_px))
                except BoxRefused:
                    continue
    return tuple(dict.fromkeys(boxes)) or (Box(0, 0, width_px, height_px),)
