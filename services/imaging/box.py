"""A box in an image."""

import math
from dataclasses import dataclass

from services.imaging.refusals import BoxRefused

MIN_BOX_SIDE_PX = 8


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the EXIF-upright image: minima inclusive, maxima exclusive."""

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.x_max - self.x_min

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.y_max - self.y_min

    def clipped(self, width_px: float, height_px: float) -> "Box":
        """Return the part of the box that lies in an image of this size.

        Raises:
            BoxRefused: BAD_BOX for coordinates that are not finite or are reversed, BOX_OUTSIDE if nothing
                is left, BOX_TOO_SMALL if a side of what is left is under `MIN_BOX_SIDE_PX`.
        """
        if not all(map(math.isfinite, (self.x_min, self.y_min, self.x_max, self.y_max))):
            raise BoxRefused("BAD_BOX", "The box needs four finite numbers.")
        if self.x_min >= self.x_max or self.y_min >= self.y_max:
            raise BoxRefused(
                "BAD_BOX", "The box is reversed or empty: x_min and y_min must be below x_max and y_max."
            )
        inside = Box(
            max(self.x_min, 0.0), max(self.y_min, 0.0), min(self.x_max, width_px), min(self.y_max, height_px)
        )
        if inside.width <= 0 or inside.height <= 0:
            raise BoxRefused("BOX_OUTSIDE", "The box lies outside the image; draw it on the object.")
        if min(inside.width, inside.height) < MIN_BOX_SIDE_PX:
            raise BoxRefused(
                "BOX_TOO_SMALL", f"The box is under {MIN_BOX_SIDE_PX} pixels on a side; draw a bigger one."
            )
        return inside

    def scaled(self, x_factor: float, y_factor: float) -> "Box":
        """The same box in an image resized by these factors."""
        return Box(self.x_min * x_factor, self.y_min * y_factor, self.x_max * x_factor, self.y_max * y_factor)


def whole_image(width_px: float, height_px: float) -> Box:
    """The box that covers an image of this size."""
    return Box(0.0, 0.0, float(width_px), float(height_px))
