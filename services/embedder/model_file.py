"""Reads and writes model files: safetensors, with the model's facts as JSON in the metadata.

    ModelFileError
    ├── ModelFileMissingError
    ├── ModelFileCorruptError
    └── ModelDigestError

No pickle, ever: a model file cannot run code.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from services.embedder.model_info import ModelInfo
from services.embedder.network import EmbeddingNet, UnknownBackboneError, build_network

_METADATA_KEY = "insitu.model"
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


class ModelFileError(Exception):
    """A model file cannot be used. The text names the file."""


class ModelFileMissingError(ModelFileError):
    """There is no such file, or it cannot be read."""


class ModelFileCorruptError(ModelFileError):
    """The file is not a model file, or its parts do not fit together."""


class ModelDigestError(ModelFileError):
    """The file is not the one that was asked for."""


@dataclass(frozen=True)
class Model:
    """A model that was read from a file.

    Attributes:
        info: what the file says of itself.
        digest: "sha256:" and the hex digest of the file's bytes; the model's identity everywhere.
        net: the network with its weights, float32, in evaluation mode.
    """

    info: ModelInfo
    digest: str
    net: EmbeddingNet


def load_model(path: Path, expected_digest: str | None = None) -> Model:
    """Read a model file.

    Args:
        path: the file.
        expected_digest: "sha256:...", refuse any other file; None takes what is there.

    Raises:
        ModelFileError: one of its three kinds.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileMissingError(f"The model file {path} cannot be read: {error.strerror}.") from error
    digest = digest_of(data)
    if expected_digest is not None and expected_digest != digest:
        raise ModelDigestError(
            f"The model file {path} has digest {digest}, not {expected_digest} as configured."
        )
    try:
        info = _read_info(data)
        state = {name: _as_float32(tensor) for name, tensor in safetensors.torch.load(data).items()}
        net = build_network(info, feature_count=state["projection.weight"].shape[1])
        net.load_state_dict(state)
    except (
        SafetensorError,
        ValidationError,
        UnknownBackboneError,
        RuntimeError,
        ValueError,
        KeyError,
    ) as error:
        raise ModelFileCorruptError(
            f"The model file {path} is damaged or not a model file of this project ({_first_line(error)})."
        ) from error
    return Model(info, digest, net.eval())


def write_model(
    path: Path, info: ModelInfo, state: Mapping[str, Tensor], *, dtype: torch.dtype = torch.float32
) -> str:
    """Write a model file, whole or not at all, and return its digest.

    Args:
        path: where to; replaced if it exists.
        info: facts that travel with the weights.
        state: `EmbeddingNet.state_dict()`.
        dtype: of stored floats; float16 halves the file, and weights are float32 again when loaded.
    """
    tensors = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().cpu().contiguous()
        for name, tensor in state.items()
    }
    data = safetensors.torch.save(tensors, {_METADATA_KEY: info.model_dump_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(data)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return digest_of(data)


def digest_of(data: bytes) -> str:
    """The identity of a model file with these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def is_digest(text: str) -> bool:
    """Whether `text` has the form of a model's digest."""
    return _DIGEST.fullmatch(text) is not None


def _read_info(data: bytes) -> ModelInfo:
    """The metadata: a safetensors file begins with the length of its JSON header (u64), then the header."""
    header_bytes = int.from_bytes(data[:8], "little")
    if not 2 <= header_bytes <= len(data) - 8:
        raise ValueError("no safetensors header")
    header = json.loads(data[8 : 8 + header_bytes])
    return ModelInfo.model_validate_json(header["__metadata__"][_METADATA_KEY])


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
