"""Runs the network on a device. One thread owns an engine; see `services.embedder.batcher`."""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx
from torch.fx.experimental.optimization import fuse

from services.embedder.network import EmbeddingNet
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class Engine(Protocol):
    """What runs batches of crops.

    Attributes:
        device: "cpu" or "cuda:0".
        name: engine and number format, such as "torch-bf16".
    """

    device: str
    name: str

    def embed(self, pixels: Tensor) -> NDArray[np.float32]:
        """(B, 3, S, S) uint8 -> (B, dimension)."""
        ...


class TorchEngine:
    """PyTorch on a CPU or a CUDA device: convolutions fused with batch norm, channels last.

    Args:
        net: in evaluation mode, float32; left unchanged.
        device: "cpu", "cuda" or "cuda:N".
        bf16: run in bfloat16.
        threads: of one forward pass on a CPU.
    """

    def __init__(
        self, net: EmbeddingNet, *, device: str = "cpu", bf16: bool = False, threads: int = 1
    ) -> None:
        self._torch_device = torch.device("cuda:0" if device == "cuda" else device)
        self.device = str(self._torch_device)
        self.name = f"torch-{'bf16' if bf16 else 'fp32'}"
        self._threads = threads
        self._dtype = torch.bfloat16 if bf16 else torch.float32
        fused = fuse_batch_norm(net)
        self._net = fused.to(self._torch_device, self._dtype).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def embed(self, pixels: Tensor) -> NDArray[np.float32]:
        """(B, 3, S, S) uint8 -> (B, dimension)."""
        if self.device == "cpu":
            torch.set_num_threads(self._threads)  # per thread, and this is the one that runs the network
            return self._forward(pixels)
        return self._forward_within_memory(pixels)

    def _forward(self, pixels: Tensor) -> NDArray[np.float32]:
        pixels = pixels.to(self._torch_device, non_blocking=True)
        pixels = pixels.to(self._dtype, memory_format=torch.channels_last)
        embeddings: NDArray[np.float32] = self._net(pixels).cpu().numpy()
        return embeddings

    def _forward_within_memory(self, pixels: Tensor) -> NDArray[np.float32]:
        """Halve a batch that the device has no memory for, down to single crops."""
        try:
            return self._forward(pixels)
        except torch.cuda.OutOfMemoryError:
            count = len(pixels)
            if count == 1:
                raise
        _log.warning("out of GPU memory: halving the batch", batch_size=count)
        torch.cuda.empty_cache()
        middle = count // 2
        halves = (self._forward_within_memory(pixels[:middle]), self._forward_within_memory(pixels[middle:]))
        return np.concatenate(halves)


def fuse_batch_norm(net: EmbeddingNet) -> EmbeddingNet:
    """A copy of `net` with every batch norm folded into the convolution before it."""
    fused = copy.deepcopy(net).eval()
    try:
        fused.backbone = fuse(fused.backbone)
    except fx.proxy.TraceError:  # a backbone whose Python cannot be traced runs as it is
        _log.warning("batch norm left unfused: the backbone cannot be traced")
    return fused
