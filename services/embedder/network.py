"""The network: a torchvision backbone, a projection, and unit length where the metric is cosine."""

from __future__ import annotations

from itertools import takewhile
from typing import cast

import torch
import torchvision.models
from torch import Tensor, nn
from torch.nn import functional

from services.embedder.model_info import ModelInfo, Preprocessing

# A backbone without weights: mean colours of a 2 x 2 grid. Tests and trials run it in milliseconds, with
# vectors that mean something: a red sofa finds a red sofa.
MEAN_COLOR = "mean_color"
_MEAN_COLOR_GRID = 2

# Where torchvision's classifiers keep what comes after the features.
_HEAD_NAMES = ("fc", "classifier", "heads", "head")
# Two old families have extra outputs or a slow initialisation unless told otherwise.
_BUILD_OPTIONS: dict[str, dict[str, bool]] = {
    "googlenet": {"aux_logits": False, "init_weights": False},
    "inception_v3": {"aux_logits": False, "init_weights": False},
}


class UnknownBackboneError(ValueError):
    """No torchvision classification network of this name, or one whose head is not understood."""


class EmbeddingNet(nn.Module):
    """Pixels to embeddings: (B, 3, S, S) in 0..255 -> (B, dimension).

    The normalisation of pixels is part of the network, so that whoever feeds it (serving, training,
    evaluation) hands it the same plain pixels.

    Args:
        backbone: (B, 3, S, S) normalised pixels -> (B, F) features, see `build_backbone`.
        projection: (B, F) -> (B, dimension).
        preprocessing: gives the mean and standard deviation of pixels.
        unit_length: whether embeddings are scaled to length 1 (metric cosine).
    """

    def __init__(
        self, backbone: nn.Module, projection: nn.Linear, preprocessing: Preprocessing, *, unit_length: bool
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection = projection
        self.unit_length = unit_length
        # Not saved: they are in the model file's metadata.
        self.register_buffer("mean", _per_channel(preprocessing.mean), persistent=False)
        self.register_buffer("std", _per_channel(preprocessing.std), persistent=False)

    def features(self, pixels: Tensor) -> Tensor:
        """The backbone's features, before projection: (B, 3, S, S) in 0..255 -> (B, F)."""
        weight = self.projection.weight
        normalised = (pixels.to(weight.dtype) - cast(Tensor, self.mean)) / cast(Tensor, self.std)
        return cast(Tensor, self.backbone(normalised))

    def forward(self, pixels: Tensor) -> Tensor:
        """Embeddings: (B, 3, S, S) in 0..255 -> (B, dimension)."""
        z: Tensor = self.projection(self.features(pixels))  # (B, F) -> (B, D)
        # In float32 whatever the network runs in: rounding here would cost unit length.
        return functional.normalize(z.float(), dim=1) if self.unit_length else z.float()


def build_backbone(name: str) -> nn.Module:
    """A torchvision classification network without its classifier: (B, 3, S, S) -> (B, F).

    Features are what the classifier would read, after global average pooling (a vision transformer's are
    its class token). The weights are random: load a state dict afterwards.

    Args:
        name: torchvision's name, such as "mobilenet_v2" or "resnet50", or `MEAN_COLOR`.

    Raises:
        UnknownBackboneError: see there.
    """
    if name == MEAN_COLOR:
        return nn.Sequential(nn.AdaptiveAvgPool2d(_MEAN_COLOR_GRID), nn.Flatten(1))
    if name not in torchvision.models.list_models(module=torchvision.models):
        raise UnknownBackboneError(f"torchvision has no classification network named {name!r}.")
    model = torchvision.models.get_model(name, weights=None, **_BUILD_OPTIONS.get(name, {}))
    head_name = next((each for each in _HEAD_NAMES if hasattr(model, each)), None)
    if head_name is None:
        raise UnknownBackboneError(f"The classifier of torchvision's {name!r} was not found.")
    setattr(model, head_name, _features_part(getattr(model, head_name)))
    # VGG and AlexNet pool to a grid for their large classifiers; here features are averaged over it.
    if isinstance(getattr(model, "avgpool", None), nn.AdaptiveAvgPool2d):
        model.avgpool = nn.AdaptiveAvgPool2d(1)
    return cast(nn.Module, model)


def _features_part(head: nn.Module) -> nn.Module:
    """What is left of a classifier head when everything from its first weights on is cut off."""
    layers = [head] if isinstance(head, nn.Linear) else list(head.children())
    if any(isinstance(layer, nn.Conv2d) for layer in layers):  # SqueezeNet classifies, then pools
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(1))
    kept = takewhile(lambda layer: not isinstance(layer, nn.Linear), layers)
    return nn.Sequential(*(layer for layer in kept if not isinstance(layer, nn.Dropout)))


def build_network(info: ModelInfo, feature_count: int) -> EmbeddingNet:
    """The network that `info` describes, with random weights, in evaluation mode."""
    net = EmbeddingNet(
        build_backbone(info.backbone),
        nn.Linear(feature_count, info.dimension),
        info.preprocessing,
        unit_length=info.metric == "cosine",
    )
    return net.eval()


@torch.inference_mode()
def count_features(backbone: nn.Module, input_size_px: int) -> int:
    """Number of features F that `backbone` gives, found by running it once."""
    backbone.eval()
    return int(backbone(torch.zeros(1, 3, input_size_px, input_size_px)).shape[1])


def _per_channel(values: tuple[float, float, float]) -> Tensor:
    """Means or deviations in 0..1 to a (1, 3, 1, 1) tensor in 0..255."""
    return torch.tensor(values).mul(255.0).view(1, 3, 1, 1)
