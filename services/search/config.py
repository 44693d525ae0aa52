"""Settings of the search process, read from INSITU_* variables."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from services.runtime.config import ClientConfig, ServerConfig, is_loopback


class SearchConfig(ServerConfig):
    """Where the embedder, the vectors and the images are, and the bounds of queries and imports."""

    port: int = Field(50052, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    embedder_address: str = Field("127.0.0.1:50051", description="Address of the embedder: host:port.")
    embedder_token: SecretStr | None = Field(None, description="Bearer token for the embedder.")
    embedder_tls_ca: Path | None = Field(None, description="PEM file: authorities to trust; turns TLS on.")
    embedder_tls_cert: Path | None = Field(None, description="PEM file: this client's certificate.")
    embedder_tls_key: Path | None = Field(None, description="PEM file: the key of that certificate.")
    data_dir: Path = Field(
        Path(".insitu/data"), description="Folder of the embedded index and, by default, of the images."
    )
    qdrant_url: str = Field("", description="URL of a Qdrant server; empty uses the embedded engine.")
    qdrant_api_key: SecretStr | None = Field(None, description="API key of the Qdrant server.")
    qdrant_tls_ca: Path | None = Field(None, description="PEM file: authority of the Qdrant server.")
    qdrant_timeout_s: float = Field(5.0, gt=0, le=120, description="Longest wait for one Qdrant answer.")
    media_url: str = Field(
        "",
        description="Folder or fsspec URL (such as s3://bucket/images) of the images; empty: DATA_DIR/media.",
    )
    exact_search_limit: int = Field(
        50_000, ge=0, description="Collections up to this many points are searched exactly."
    )
    import_window: int = Field(128, ge=1, le=1024, description="Items of one import at work at a time.")
    import_window_bytes: int = Field(
        64 * 1024 * 1024, ge=1, description="Bytes of one import's items at work at a time."
    )
    import_batch: int = Field(64, ge=1, le=1024, description="Most items written at once.")
    embed_timeout_s: float = Field(120.0, gt=0, description="Longest wait for one embedding of an import.")
    image_threads: int = Field(2, ge=1, le=64, description="Threads that check and scale images.")
    image_cache_bytes: int = Field(64 * 1024 * 1024, ge=0, description="Scaled images kept in memory.")

    @model_validator(mode="after")
    def _qdrant_key_stays_secret(self) -> SearchConfig:
        if self.qdrant_url:
            parts = urlsplit(self.qdrant_url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("INSITU_QDRANT_URL must look like https://host:6333")
            if self.qdrant_api_key and parts.scheme == "http" and not is_loopback(parts.hostname):
                raise ValueError(
                    "INSITU_QDRANT_API_KEY would travel in clear text: use an https:// INSITU_QDRANT_URL"
                )
        return self

    def embedder_client(self) -> ClientConfig:
        """How to reach the embedder."""
        return ClientConfig(
            address=self.embedder_address,
            tls_ca=self.embedder_tls_ca,
            tls_cert=self.embedder_tls_cert,
            tls_key=self.embedder_tls_key,
            token=self.embedder_token.get_secret_value() if self.embedder_token else "",
        )

    def media_location(self) -> str:
        """A folder or a URL."""
        return self.media_url or str(self.data_dir / "media")
