"""Backbones and the embedding network."""

import pytest
import torch
from torch import nn

from services.embedder.engine import fuse_batch_norm
from services.embedder.model_info import Preprocessing
from services.embedder.network import (
    MEAN_COLOR,
    EmbeddingNet,
    UnknownBackboneError,
    build_backbone,
    count_features,
)


def network(backbone: str, dimension: int = 8, *, unit_length: bool = True) -> EmbeddingNet:
    torch.manual_seed(0)
    features = build_backbone(backbone)
    count = count_features(features, 64)
    return EmbeddingNet(
        features, nn.Linear(count, dimension), Preprocessing(), unit_length=unit_length
    ).eval()


@pytest.mark.parametrize(
    ("backbone", "features"),
    [
        ("mobilenet_v2", 1280),
        ("mobilenet_v3_small", 576),
        ("resnet18", 512),
        ("shufflenet_v2_x0_5", 1024),
        ("squeezenet1_1", 512),
        ("mnasnet0_5", 1280),
        ("regnet_y_400mf", 440),
        ("alexnet", 256),
        (MEAN_COLOR, 12),
    ],
)
@torch.inference_mode()
def test_backbones_give_pooled_features_before_the_classifier(backbone: str, features: int) -> None:
    net = network(backbone)
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert net.features(pixels).shape == (2, features)
    assert net(pixels).shape == (2, 8)


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(UnknownBackboneError, match="no classification network"):
        build_backbone("mobilenet_v99")


def test_a_detection_network_is_no_backbone() -> None:
    with pytest.raises(UnknownBackboneError):
        build_backbone("fasterrcnn_resnet50_fpn")


@torch.inference_mode()
def test_cosine_embeddings_have_unit_length_and_euclidean_ones_do_not() -> None:
    pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    lengths = network(MEAN_COLOR)(pixels).norm(dim=1)
    assert torch.allclose(lengths, torch.ones(3), atol=1e-6)
    assert not torch.allclose(
        network(MEAN_COLOR, unit_length=False)(pixels).norm(dim=1), torch.ones(3), atol=0.01
    )


@torch.inference_mode()
def test_pixels_are_normalised_inside_the_network() -> None:
    net = network(MEAN_COLOR)
    colour = torch.tensor([255.0, 0.0, 127.5]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    expected = (torch.tensor([1.0, 0.0, 0.5]) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    assert torch.allclose(net.features(colour).view(3, 4)[:, 0], expected, atol=1e-5)


@torch.inference_mode()
def test_fusing_batch_norm_changes_no_embedding() -> None:
    net = network("mobilenet_v2")
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    fused = fuse_batch_norm(net)
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    assert torch.allclose(net(pixels), fused(pixels), atol=1e-4)
