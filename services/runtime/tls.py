"""TLS credentials of servers and clients, from PEM files."""

from __future__ import annotations

from pathlib import Path

import grpc

from services.runtime.config import ClientConfig, ServerConfig


def server_credentials(config: ServerConfig) -> grpc.ServerCredentials | None:
    """Credentials of a server; None when TLS is off.

    Raises:
        SystemExit: a file cannot be read.
    """
    if config.tls_cert is None or config.tls_key is None:
        return None
    client_ca = _read(config.tls_client_ca) if config.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [(_read(config.tls_key), _read(config.tls_cert))],
        root_certificates=client_ca,
        require_client_auth=client_ca is not None,
    )


def channel_credentials(config: ClientConfig) -> grpc.ChannelCredentials | None:
    """Credentials of a client; None when TLS is off.

    Raises:
        SystemExit: a file cannot be read.
    """
    if config.tls_ca is None:
        return None
    return grpc.ssl_channel_credentials(
        root_certificates=_read(config.tls_ca),
        private_key=_read(config.tls_key) if config.tls_key else None,
        certificate_chain=_read(config.tls_cert) if config.tls_cert else None,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise SystemExit(f"The TLS file {path} cannot be read: {problem.strerror}.") from problem
