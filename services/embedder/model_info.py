"""What a model file says of itself. It travels inside the file, beside the weights."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

# The frame in which padding is counted (Bell & Bala 2015, section 4.3): crops were 256 px squares there.
FRAME_PX = 256

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Preprocessing(_Frozen):
    """How a box of an image becomes the network's input.

    Attributes:
        input_size_px: side of the square that the network reads.
        padding_px: context kept round a box, in pixels of the 256 x 256 frame: the box itself fills
            256 - 2 x padding_px of the frame, whatever its size in the photo.
        kept_aspect: how much of a crop's shape survives in the square input, as a power of its aspect:
            0 stretches it over the square, 1 keeps its shape, with white beside it.
        mean: per channel, of pixels in 0..1.
        std: per channel, of pixels in 0..1.
    """

    input_size_px: int = Field(224, ge=16, le=1024)
    padding_px: int = Field(16, ge=0, le=120)
    # The middle way found most: docs/decisions.md has the measurement.
    kept_aspect: float = Field(0.5, ge=0, le=1)
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD


class ModelInfo(_Frozen):
    """Facts about a model.

    Attributes:
        name: for people, such as "mobilenet_v2-pca256".
        architecture: how it was learned: "pca", or "A" to "D" of Bell & Bala.
        backbone: torchvision's name, or "mean_color".
        dimension: length of an embedding.
        metric: how two embeddings are compared.
        preprocessing: from boxes to input.
        categories: that the model was trained to tell apart; empty for an untrained one.
        provenance: where weights and training data come from, one sentence.
        license: of the weights, SPDX or a sentence.
    """

    name: str = Field(min_length=1, max_length=200)
    architecture: str = Field(min_length=1, max_length=50)
    backbone: str = Field(min_length=1, max_length=100)
    dimension: int = Field(ge=1, le=4096)
    metric: Literal["cosine", "euclidean"] = "cosine"
    preprocessing: Preprocessing = Preprocessing()
    categories: tuple[str, ...] = ()
    provenance: str = ""
    license: str = ""
