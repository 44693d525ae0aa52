"""Picks the engine: device, library and number format.

Measured with mobilenet_v2 at 224 px on a CPU with AMX: OpenVINO bf16 is three to five times as fast as
PyTorch bf16, with the same recall (docs/performance.md), so that is what `auto` takes on a CPU. On CUDA
it takes PyTorch bf16.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Literal

import torch

from services.embedder.engine import Engine, TorchEngine
from services.embedder.model_file import Model
from services.runtime.logs import get_logger

_log = get_logger(__name__)

DeviceChoice = Literal["auto", "cpu", "cuda"]
EngineChoice = Literal["auto", "torch", "openvino"]
PrecisionChoice = Literal["auto", "fp32", "bf16"]


class EngineUnavailableError(RuntimeError):
    """The engine that was asked for is not installed or does not run on the device."""


def open_engine(
    model: Model,
    *,
    device: DeviceChoice = "auto",
    engine: EngineChoice = "auto",
    precision: PrecisionChoice = "auto",
    threads: int = 0,
) -> Engine:
    """Put the network on a device.

    Args:
        model: what to run.
        device: "cuda" falls back to the CPU where there is none, and says so in the log.
        engine: library.
        precision: "auto" is bfloat16 where the device computes it natively.
        threads: of a forward pass on a CPU; 0 is one per core.

    Raises:
        EngineUnavailableError: see there.
    """
    cuda = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not cuda:
        _log.warning("no CUDA device was found: running on the CPU")
    if engine == "openvino" and cuda:
        raise EngineUnavailableError(
            "OpenVINO runs on the CPU: set INSITU_DEVICE=cpu with INSITU_ENGINE=openvino."
        )
    bf16 = precision == "bf16" or (precision == "auto" and _computes_bf16(cuda=cuda))
    threads = threads or core_count()
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "openvino" and not installed:
        raise EngineUnavailableError("OpenVINO is not installed: install it, or set INSITU_ENGINE=torch.")
    if cuda or engine == "torch" or not installed:
        return TorchEngine(model.net, device="cuda" if cuda else "cpu", bf16=bf16, threads=threads)
    from services.embedder.openvino_engine import OpenVinoEngine  # takes a second to import

    input_size_px = model.info.preprocessing.input_size_px
    return OpenVinoEngine(model.net, input_size_px=input_size_px, bf16=bf16, threads=threads)


def core_count() -> int:
    """Cores that this process may use: a container's quota of CPUs is not the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _computes_bf16(*, cuda: bool) -> bool:
    if cuda:
        return torch.cuda.get_device_capability() >= (8, 0)
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "amx_tile", "arm_bf16"))
