"""Model files: what they hold, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from services.embedder.color_model import COLOR_MODEL_INFO, write_color_model
from services.embedder.model_file import (
    ModelDigestError,
    ModelFileCorruptError,
    ModelFileMissingError,
    is_digest,
    load_model,
    write_model,
)
from services.embedder.network import build_network


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    path = tmp_path / "color.safetensors"
    write_color_model(path)
    return path


def test_a_model_survives_writing_and_reading(model_path: Path) -> None:
    model = load_model(model_path)
    assert model.info == COLOR_MODEL_INFO
    assert is_digest(model.digest)
    pixels = torch.full((1, 3, 64, 64), 200, dtype=torch.uint8)
    assert model.net(pixels).shape == (1, COLOR_MODEL_INFO.dimension)


def test_the_digest_is_of_the_file_and_the_same_each_time(model_path: Path, tmp_path: Path) -> None:
    again = write_color_model(tmp_path / "again.safetensors")
    other = write_color_model(tmp_path / "other.safetensors", name="another name")
    assert load_model(model_path).digest == again
    assert other != again


def test_half_precision_storage_is_read_as_float32(tmp_path: Path) -> None:
    net = build_network(COLOR_MODEL_INFO, 12)
    path = tmp_path / "half.safetensors"
    write_model(path, COLOR_MODEL_INFO, net.state_dict(), dtype=torch.float16)
    loaded = load_model(path).net
    assert loaded.projection.weight.dtype == torch.float32
    assert torch.allclose(loaded.projection.weight, net.projection.weight, atol=1e-3)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileMissingError, match=r"nowhere\.safetensors"):
        load_model(tmp_path / "nowhere.safetensors")


def test_another_digest_than_configured_is_refused(model_path: Path) -> None:
    digest = load_model(model_path).digest
    assert load_model(model_path, digest).digest == digest
    with pytest.raises(ModelDigestError, match=r"color\.safetensors"):
        load_model(model_path, "sha256:" + "0" * 64)


@pytest.mark.parametrize("cut", [0, 4, 100, 0.5, -1])
def test_a_truncated_file_is_corrupt(model_path: Path, cut: float) -> None:
    data = model_path.read_bytes()
    model_path.write_bytes(data[: int(len(data) * cut)] if isinstance(cut, float) else data[:cut])
    with pytest.raises(ModelFileCorruptError, match=r"color\.safetensors"):
        load_model(model_path)


@pytest.mark.parametrize("data", [b"\xff" * 64, b"not a model", bytes(1000)])
def test_other_bytes_are_corrupt(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "junk.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileCorruptError):
        load_model(path)


def test_safetensors_without_the_facts_are_no_model_file(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"projection.weight": torch.zeros(4, 12)}, path)
    with pytest.raises(ModelFileCorruptError):
        load_model(path)


@pytest.mark.parametrize(
    "wrong",
    [{"dimension": 5}, {"backbone": "no_such_network"}, {"metric": "manhattan"}, {"surprise": 1}],
)
def test_facts_that_do_not_fit_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    facts = json.loads(COLOR_MODEL_INFO.model_dump_json()) | wrong
    path = tmp_path / "wrong.safetensors"
    state = build_network(COLOR_MODEL_INFO, 12).state_dict()
    save_file(dict(state), path, {"insitu.model": json.dumps(facts)})
    with pytest.raises(ModelFileCorruptError):
        load_model(path)


def test_writing_leaves_no_unfinished_file(model_path: Path) -> None:
    assert [file.name for file in model_path.parent.iterdir()] == ["color.safetensors"]
