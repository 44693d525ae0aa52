"""Settings of a process, read from ``INSITU_*`` environment variables.

Only ``__main__`` modules read the environment; everything else is handed what it needs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_MESSAGE_BYTES = 12 * 1024 * 1024


class ProcessConfig(BaseSettings):
    """Settings that every process has."""

    model_config = SettingsConfigDict(env_prefix="INSITU_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; loopback unless told otherwise.")
    port: int = Field(0, ge=0, le=65535, description="Port to listen on; 0 lets the system choose.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged."
    )


class ServerConfig(ProcessConfig):
    """Settings of a gRPC server."""

    tls_cert: Path | None = Field(None, description="PEM file: the server's certificate chain.")
    tls_key: Path | None = Field(None, description="PEM file: the server's private key.")
    tls_client_ca: Path | None = Field(
        None, description="PEM file: authorities of client certificates; given, clients must have one."
    )
    tokens: SecretStr | None = Field(
        None, description="Accepted bearer tokens, separated by commas; unset, none is asked for."
    )
    tokens_file: Path | None = Field(None, description="File with one accepted token a line.")
    metrics_host: str = Field("127.0.0.1", description="Address of the Prometheus endpoint.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of the Prometheus endpoint; 0 is off.")
    drain_s: float = Field(10.0, ge=0, description="Seconds that calls in flight get after SIGTERM.")
    max_message_bytes: int = Field(MAX_MESSAGE_BYTES, ge=1024, description="Largest message, in bytes.")
    max_concurrent_calls: int = Field(1000, ge=1, description="Calls at a time; more are refused.")
    idle_s: float = Field(300.0, gt=0, description="Seconds after which an idle connection is closed.")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> ServerConfig:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("INSITU_TLS_CERT and INSITU_TLS_KEY belong together: set both or none")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("INSITU_TLS_CLIENT_CA needs INSITU_TLS_CERT and INSITU_TLS_KEY")
        return self

    def accepted_tokens(self) -> frozenset[str]:
        """The accepted tokens; empty when none is asked for.

        Raises:
            SystemExit: a tokens file is configured that cannot be read or names no token.
        """
        found: list[str] = []
        if self.tokens is not None:
            found += self.tokens.get_secret_value().split(",")
        if self.tokens_file is not None:
            try:
                found += self.tokens_file.read_text(encoding="utf-8").splitlines()
            except OSError as problem:
                raise SystemExit(f"INSITU_TOKENS_FILE cannot be read: {problem.strerror}.") from problem
        tokens = frozenset(token.strip() for token in found if token.strip())
        if not tokens and (self.tokens is not None or self.tokens_file is not None):
            raise SystemExit("INSITU_TOKENS or INSITU_TOKENS_FILE is set but names no token.")
        return tokens


@dataclass(frozen=True)
class ClientConfig:
    """How to reach a gRPC server.

    Attributes:
        address: "host:port", or any target that gRPC resolves.
        tls_ca: PEM file of the authorities to trust; given, TLS is used.
        tls_cert: PEM file of the client's own certificate, where the server asks for one.
        tls_key: PEM file of the client's private key.
        token: bearer token, or "".
    """

    address: str
    tls_ca: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    token: str = ""

    def __repr__(self) -> str:
        return f"ClientConfig(address={self.address!r}, tls={self.tls_ca is not None})"


def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    if host == "localhost" or host.startswith("unix:"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


_Config = TypeVar("_Config", bound=ProcessConfig)


def read_config(kind: type[_Config]) -> _Config:
    """The configuration of this process from its environment.

    Raises:
        SystemExit: naming every wrong variable at once, without its value.
    """
    try:
        return kind()
    except ValidationError as problem:
        lines = []
        for error in problem.errors(include_input=False, include_url=False):
            name = "_".join(["INSITU", *(str(part).upper() for part in error["loc"])])
            text = error["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {text}" if error["loc"] else text)
        sys.stderr.write("The environment is wrong:\n  " + "\n  ".join(lines) + "\n")
        raise SystemExit(2) from None
