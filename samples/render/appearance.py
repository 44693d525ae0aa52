"""What a product picture looks like: white background, dominant colour, and whether it is broken."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

Rgbs = npt.NDArray[np.float32]

_SHADOW_STRENGTH = 0.6
# Names and sRGB anchors; the nearest in CIE L*a*b* names a product's colour.
_COLOURS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "white": ((238, 238, 236), (215, 215, 213)),
    "grey": ((150, 150, 150), (110, 110, 112), (185, 185, 186)),
    "black": ((28, 28, 28), (55, 55, 56)),
    "beige": ((214, 196, 164), (190, 175, 150), (225, 212, 190)),
    "brown": ((110, 72, 44), (70, 45, 32), (150, 105, 70), (175, 130, 85)),
    "red": ((180, 40, 40), (120, 25, 28)),
    "orange": ((230, 125, 45),),
    "yellow": ((232, 200, 70),),
    "green": ((85, 125, 60), (50, 80, 45), (130, 165, 110)),
    "blue": ((60, 95, 165), (40, 55, 100), (120, 160, 205)),
    "purple": ((120, 80, 150),),
    "pink": ((225, 140, 165),),
}


@dataclass(frozen=True)
class Appearance:
    """Measured on the product's own pixels; fractions are of those pixels or of the frame."""

    colour: str
    magenta: float
    contrast: float  # mean absolute difference from white, 0..1
    darkness: float  # mean of 1 - value, 0..1
    fill: float  # longer side of the product's outline over the frame


def on_white(shot: Image.Image) -> Image.Image:
    """A rendered RGBA picture on white; the shadow (black at some alpha) is softened."""
    rgba = np.asarray(shot.convert("RGBA"), dtype=np.float32) / 255  # (H, W, 4), straight alpha
    rgb, alpha = rgba[..., :3], rgba[..., 3:]
    shadow = (rgb.max(axis=2, keepdims=True) < 0.02) & (alpha < 0.97)
    alpha = np.where(shadow, alpha * _SHADOW_STRENGTH, alpha)
    flat = rgb * alpha + (1 - alpha)
    return Image.fromarray((flat * 255 + 0.5).astype(np.uint8), "RGB")


def measure_appearance(shot: Image.Image) -> Appearance:
    """Appearance of a rendered RGBA picture. An empty picture has fill 0."""
    rgba = np.asarray(shot.convert("RGBA"), dtype=np.float32) / 255
    solid = (rgba[..., 3] > 0.98) | ((rgba[..., 3] > 0.1) & (rgba[..., :3].max(axis=2) > 0.1))
    if not solid.any():
        return Appearance("grey", 0.0, 0.0, 1.0, 0.0)
    pixels = rgba[..., :3][solid]  # (N, 3)
    red, green, blue = pixels[:, 0], pixels[:, 1], pixels[:, 2]
    magenta = float(((red > 0.6) & (blue > 0.6) & (green < 0.25)).mean())
    rows, columns = np.nonzero(solid)
    extent = max(rows.max() - rows.min(), columns.max() - columns.min()) + 1
    return Appearance(
        colour=name_colour(pixels),
        magenta=magenta,
        contrast=float((1 - pixels).mean()),
        darkness=float(1 - pixels.max(axis=1).mean()),
        fill=float(extent / max(solid.shape)),
    )


def name_colour(pixels: Rgbs) -> str:
    """The colour name that most pixels (N, 3; sRGB 0..1) are nearest to."""
    names = [name for name, anchors in _COLOURS.items() for _ in anchors]
    anchors = np.array([a for group in _COLOURS.values() for a in group], dtype=np.float32) / np.float32(255)
    sample = pixels[:: max(1, len(pixels) // 4000)]
    offsets: Rgbs = _lab(sample)[:, None] - _lab(anchors)[None]
    distance = np.linalg.norm(offsets, axis=2)  # (N, A)
    votes: dict[str, int] = {}
    for index in distance.argmin(axis=1):
        votes[names[index]] = votes.get(names[index], 0) + 1
    return max(votes, key=lambda name: votes[name])


def _lab(srgb: Rgbs) -> Rgbs:
    """SRGB 0..1 to CIE L*a*b* (D65), with colour counted more than lightness."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], dtype=np.float32
    )
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089], dtype=np.float32)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lightness = 116 * f[:, 1] - 16
    a, b = 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])
    return np.stack([lightness * 0.7, a, b], axis=1).astype(np.float32)
