"""A model without weights: mean colours of a 2 x 2 grid. For tests and trials.

Its vectors mean something (a red sofa finds a red sofa), it runs in well under a millisecond, and it is a
model file like any other, so that real processes can serve it.
"""

from __future__ import annotations

from pathlib import Path

import torch

from services.embedder.model_file import write_model
from services.embedder.model_info import ModelInfo, Preprocessing
from services.embedder.network import MEAN_COLOR, build_network

_FEATURES = 12  # 3 channels of 2 x 2 cells
DIMENSION = _FEATURES + 1

COLOR_MODEL_INFO = ModelInfo(
    name="mean-color-2x2",
    architecture="color",
    backbone=MEAN_COLOR,
    dimension=DIMENSION,
    preprocessing=Preprocessing(input_size_px=64, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    provenance="No training data: the mean colours of a 2 x 2 grid.",
    license="CC0-1.0",
)


def write_color_model(path: Path, name: str = COLOR_MODEL_INFO.name) -> str:
    """Write the model file and return its digest; another `name` gives another digest."""
    info = COLOR_MODEL_INFO.model_copy(update={"name": name})
    net = build_network(info, _FEATURES)
    with torch.no_grad():
        # The colours as they are, and a constant that keeps mid-grey, all zeros, at unit length.
        net.projection.weight.copy_(torch.eye(DIMENSION, _FEATURES))
        net.projection.bias.copy_(torch.eye(DIMENSION)[-1] * 0.5)
    return write_model(path, info, net.state_dict())
