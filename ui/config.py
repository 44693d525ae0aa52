"""Settings of the web page's process."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from services.runtime.config import ClientConfig, ProcessConfig


class UiConfig(ProcessConfig):
    """Settings of the web page, from ``INSITU_*`` variables."""

    port: int = Field(7860, ge=0, le=65535, description="Port of the page; 0 lets the system choose.")
    search_address: str = Field("127.0.0.1:50052", description="The search service, host:port.")
    search_token: SecretStr = Field(SecretStr(""), description="Bearer token for the search service.")
    search_tls_ca: Path | None = Field(None, description="PEM file of authorities; given, TLS is used.")
    search_tls_cert: Path | None = Field(None, description="PEM file: the page's own certificate.")
    search_tls_key: Path | None = Field(None, description="PEM file: the page's private key.")
    search_deadline_s: float = Field(10.0, gt=0, description="Longest wait for one answer, in seconds.")
    max_upload_bytes: int = Field(10_000_000, ge=1000, le=10_000_000, description="Largest photo, in bytes.")
    max_searches: int = Field(8, ge=1, description="Searches of all visitors at a time.")
    max_decodes: int = Field(2, ge=1, description="Photos being decoded at a time.")
    max_waiting: int = Field(64, ge=1, description="Requests that may wait; more are told that it is full.")
    photo_kept_s: int = Field(3600, ge=60, description="Seconds after which an unused photo is forgotten.")

    def search_client_config(self) -> ClientConfig:
        """How to reach the search service."""
        return ClientConfig(
            address=self.search_address,
            tls_ca=self.search_tls_ca,
            tls_cert=self.search_tls_cert,
            tls_key=self.search_tls_key,
            token=self.search_token.get_secret_value(),
        )
