"""OpenVINO on a CPU: the same network, compiled. About twice as fast as PyTorch where bfloat16 is native.

The network is converted in memory by OpenVINO's PyTorch frontend. Its `convert_model`, which reports usage
to Intel, is not called, and the module that would report is kept from being imported at all.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.embedder.network import EmbeddingNet

# OpenVINO falls back to its own stub when this import fails.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402
from openvino.frontend import FrontEndManager  # noqa: E402
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder  # noqa: E402


class OpenVinoEngine:
    """Runs the network with OpenVINO.

    Args:
        net: in evaluation mode, float32; left unchanged.
        input_size_px: side of the crops.
        bf16: run in bfloat16.
        threads: of one forward pass.
    """

    device = "cpu"

    def __init__(self, net: EmbeddingNet, *, input_size_px: int, bf16: bool, threads: int) -> None:
        self.name = f"openvino-{'bf16' if bf16 else 'fp32'}"
        example = torch.zeros(2, 3, input_size_px, input_size_px, dtype=torch.uint8)
        torch_threads = torch.get_num_threads()
        # Tracing runs the network; on a busy machine several threads of it wait seconds for each other.
        torch.set_num_threads(1)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # of tracing: shapes of the example become constants, as meant
            decoder = TorchScriptPythonDecoder(net, example_input=(example,))
        torch.set_num_threads(torch_threads)
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(decoder))
        model.reshape([-1, 3, input_size_px, input_size_px])
        self._compiled = openvino.Core().compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
                # Decoders share the cores: a thread that is pinned beside a busy one waits for it.
                "ENABLE_CPU_PINNING": False,
            },
        )

    def embed(self, pixels: Tensor) -> NDArray[np.float32]:
        """(B, 3, S, S) uint8 -> (B, dimension)."""
        outputs = self._compiled([pixels.numpy()], share_inputs=True)
        return np.array(outputs[0], dtype=np.float32)
