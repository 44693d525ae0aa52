"""Settings of the embedder process, from ``INSITU_*`` environment variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from services.embedder.engine_choice import DeviceChoice, EngineChoice, PrecisionChoice
from services.embedder.model_file import is_digest
from services.runtime.config import ServerConfig

DEFAULT_MODEL = Path(__file__).parent / "models" / "mobilenet_v2-pca256.safetensors"
DEFAULT_PORT = 50051


class EmbedderConfig(ServerConfig):
    """Settings of the embedder."""

    port: int = Field(
        DEFAULT_PORT, ge=0, le=65535, description="Port to listen on; 0 lets the system choose."
    )
    model: Path = Field(DEFAULT_MODEL, description="Model file; the bundled one by default.")
    model_digest: str | None = Field(
        None, description="Digest that the model file must have, 'sha256:...'; unset, any is taken."
    )
    device: DeviceChoice = Field("auto", description="auto takes a CUDA device if there is one.")
    engine: EngineChoice = Field("auto", description="auto takes the fastest measured for the device.")
    precision: PrecisionChoice = Field("auto", description="auto is bf16 where the device computes it.")
    threads: int = Field(
        0, ge=0, le=1024, description="Threads of a forward pass on a CPU; 0 is one per core."
    )
    decode_threads: int = Field(
        0, ge=0, le=1024, description="Threads that decode images; 0 is one per core."
    )
    max_batch_size: int = Field(
        0, ge=0, le=4096, description="Most crops of one batch; 0 is 16 on a CPU and 128 on CUDA."
    )
    max_batch_wait_ms: float = Field(
        0.0, ge=0, le=1000, description="How long a batch that is not full waits for more crops."
    )
    max_in_flight: int = Field(
        64, ge=1, description="Crops of unary calls in flight; more calls are refused."
    )
    max_bulk_in_flight: int = Field(32, ge=1, description="Images of bulk streams in flight; more wait.")

    @field_validator("model_digest")
    @classmethod
    def _digest_has_its_form(cls, value: str | None) -> str | None:
        if value is not None and not is_digest(value):
            raise ValueError("a digest is 'sha256:' and 64 lower-case hex digits")
        return value
