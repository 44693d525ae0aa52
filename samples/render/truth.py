"""Ground truth from an ID mask: the tight box and the visible fraction of everything in a scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MIN_SIDE_PX = 32
MIN_VISIBLE = 0.25

Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A box in pixels (minimum inclusive, maximum exclusive) and how much of the thing it shows."""

    product_id: str
    x_min: int
    y_min: int
    x_max: int
    y_max: int
    visible: float


def box_of(mask: Mask, number: int) -> tuple[int, int, int, int] | None:
    """Tight (x_min, y_min, x_max, y_max) of the pixels of one ID in an (H, W) mask; None: not seen."""
    rows = np.flatnonzero((mask == number).any(axis=1))
    columns = np.flatnonzero((mask == number).any(axis=0))
    if rows.size == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def regions_of(mask: Mask, product_ids: Sequence[str], whole_px: Mapping[int, float]) -> list[Region]:
    """Regions of an ID mask in which thing i has ID i + 1.

    `whole_px` is the area (pixels of this mask) that each ID would cover if nothing stood before it and the
    frame did not end. Left out: a shorter side under 32 px, less than a quarter visible.
    """
    regions = []
    for index, product_id in enumerate(product_ids):
        number = index + 1
        box = box_of(mask, number)
        whole = whole_px.get(number, 0.0)
        if box is None or whole <= 0:
            continue
        visible = min(1.0, float((mask == number).sum()) / whole)
        if min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE_PX and visible >= MIN_VISIBLE:
            regions.append(Region(product_id, *box, round(visible, 3)))
    return regions
