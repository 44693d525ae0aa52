"""Engines agree with the plain network."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from services.embedder.color_model import write_color_model
from services.embedder.engine import Engine, TorchEngine
from services.embedder.engine_choice import EngineUnavailableError, open_engine
from services.embedder.model_file import Model, load_model
from services.embedder.model_info import ModelInfo, Preprocessing
from services.embedder.network import EmbeddingNet, build_backbone
from services.embedder.openvino_engine import OpenVinoEngine


@pytest.fixture(scope="module")
def model() -> Model:
    torch.manual_seed(1)
    preprocessing = Preprocessing(input_size_px=64)
    net = EmbeddingNet(
        build_backbone("squeezenet1_1"), nn.Linear(512, 32), preprocessing, unit_length=True
    ).eval()
    info = ModelInfo(
        name="t", architecture="pca", backbone="squeezenet1_1", dimension=32, preprocessing=preprocessing
    )
    return Model(info, "", net)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (5, 3, 64, 64), dtype=torch.uint8, generator=generator)


def engine(model: Model, kind: str, *, bf16: bool) -> Engine:
    if kind == "torch":
        return TorchEngine(model.net, bf16=bf16)
    return OpenVinoEngine(model.net, input_size_px=64, bf16=bf16, threads=1)


@pytest.mark.parametrize("kind", ["torch", "openvino"])
@pytest.mark.parametrize(("bf16", "least_cosine"), [(False, 0.99999), (True, 0.995)])
def test_engines_give_the_networks_embeddings(
    model: Model, pixels: torch.Tensor, kind: str, *, bf16: bool, least_cosine: float
) -> None:
    with torch.inference_mode():
        expected = model.net(pixels).numpy()
    embeddings = engine(model, kind, bf16=bf16).embed(pixels)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (5, 32)
    assert (embeddings * expected).sum(axis=1).min() > least_cosine
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_an_embedding_does_not_depend_on_its_batch(model: Model, pixels: torch.Tensor, kind: str) -> None:
    runner = engine(model, kind, bf16=False)
    together = runner.embed(pixels)
    alone = np.concatenate([runner.embed(pixels[row : row + 1]) for row in range(5)])
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("kind", ["torch", "openvino"])
def test_an_answer_is_not_overwritten_by_the_next_batch(
    model: Model, pixels: torch.Tensor, kind: str
) -> None:
    runner = engine(model, kind, bf16=False)
    first = runner.embed(pixels[:2])
    kept = first.copy()
    runner.embed(pixels[2:4])
    assert np.array_equal(first, kept)


def test_openvino_is_imported_without_its_telemetry() -> None:
    program = (
        "import sys, services.embedder.openvino_engine\n"
        "assert sys.modules['openvino_telemetry'] is None\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_cuda_means_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    write_color_model(tmp_path / "m.safetensors")
    assert open_engine(load_model(tmp_path / "m.safetensors"), device="cuda", engine="torch").device == "cpu"


def test_openvino_on_cuda_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    write_color_model(tmp_path / "m.safetensors")
    with pytest.raises(EngineUnavailableError, match="INSITU_DEVICE=cpu"):
        open_engine(load_model(tmp_path / "m.safetensors"), device="cuda", engine="openvino")


def test_out_of_gpu_memory_halves_the_batch(
    model: Model, pixels: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = TorchEngine(model.net)
    expected = runner.embed(pixels)
    sizes: list[int] = []
    forward = runner._forward

    def with_little_memory(batch: torch.Tensor) -> np.ndarray:
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.cuda.OutOfMemoryError("no memory")
        return forward(batch)

    monkeypatch.setattr(runner, "_forward", with_little_memory)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    runner.device = "cuda:0"
    assert np.allclose(runner.embed(pixels), expected, atol=1e-5)
    assert sizes == [5, 2, 3, 1, 2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("bf16", "least_cosine"), [(False, 0.999), (True, 0.99)])
def test_cuda_gives_the_networks_embeddings(
    model: Model, pixels: torch.Tensor, *, bf16: bool, least_cosine: float
) -> None:
    with torch.inference_mode():
        expected = model.net(pixels).numpy()
    runner = TorchEngine(model.net, device="cuda", bf16=bf16)
    assert runner.device == "cuda:0"
    assert (runner.embed(pixels) * expected).sum(axis=1).min() > least_cosine
