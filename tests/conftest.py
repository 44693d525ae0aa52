"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
# Real photos that cannot be part of the project; tests that want them skip without them.
SHARED = REPOSITORY.parent / "shared"


@pytest.fixture(scope="session")
def ikea() -> Path:
    """The catalogue folder of real rooms, products and boxes."""
    folder = SHARED / "ikea"
    if not (folder / "regions.csv").is_file():
        pytest.skip("the IKEA photos are not here: put them beside the repository as shared/ikea")
    return folder


@pytest.fixture(scope="session")
def imagenet_weights() -> Path:
    """ImageNet weights of mobilenet_v2."""
    file = SHARED / "weights" / "mobilenet_v2_imagenet.safetensors"
    if not file.is_file():
        pytest.skip("the ImageNet weights are not here: put them beside the repository under shared/weights")
    return file
