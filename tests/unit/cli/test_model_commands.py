"""Where `insitu model fit` gets its starting weights."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.numpy import load_file

from cli import model_commands
from cli.model_commands import starting_weights
from cli.terminal import CommandFailed
from services.embedder.model_info import ModelInfo
from services.embedder.network import build_backbone, build_network


def write_small_model(path: Path) -> None:
    from services.embedder.model_file import write_model

    info = ModelInfo(name="small", architecture="pca", backbone="squeezenet1_1", dimension=4)
    write_model(path, info, build_network(info, 512).state_dict())


def test_bundled_model_gives_its_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_small_model(tmp_path / "squeezenet1_1-pca4.safetensors")
    monkeypatch.setattr(model_commands, "MODELS", tmp_path)
    with starting_weights(None, "squeezenet1_1") as weights:
        assert weights is not None
        assert set(load_file(weights)) == set(build_backbone("squeezenet1_1").state_dict())
    with pytest.raises(CommandFailed, match="--init"), starting_weights(None, "resnet18"):
        pass


def test_missing_starting_weights_are_named(tmp_path: Path) -> None:
    with (
        pytest.raises(CommandFailed, match=r"none\.safetensors"),
        starting_weights(tmp_path / "none.safetensors", "x"),
    ):
        pass
