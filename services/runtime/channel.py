"""Channels of clients: message limits, keepalive, load balancing, TLS, token, request id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import grpc

from services.runtime.config import MAX_MESSAGE_BYTES, ClientConfig, is_loopback
from services.runtime.errors import REQUEST_ID_KEY
from services.runtime.logs import request_id
from services.runtime.tls import channel_credentials

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # A Kubernetes service address pins a connection to one pod; headless + round_robin spreads calls.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.enable_http_proxy", 0),
)

_Metadata = tuple[tuple[str, str | bytes], ...]


def open_channel(config: ClientConfig) -> grpc.Channel:
    """A channel for blocking calls.

    Raises:
        SystemExit: a TLS file cannot be read, or a token would travel in clear text to another machine.
    """
    _refuse_token_in_clear(config)
    credentials = channel_credentials(config)
    channel = (
        grpc.insecure_channel(config.address, options=_OPTIONS)
        if credentials is None
        else grpc.secure_channel(config.address, credentials, options=_OPTIONS)
    )
    return grpc.intercept_channel(channel, _MetadataInterceptor(config.token))


def open_aio_channel(config: ClientConfig) -> grpc.aio.Channel:
    """A channel for asyncio calls. Raises as `open_channel`."""
    _refuse_token_in_clear(config)
    credentials = channel_credentials(config)
    interceptors: list[grpc.aio.ClientInterceptor] = [
        _AioUnaryMetadata(config.token),
        _AioStreamMetadata(config.token),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(config.address, options=_OPTIONS, interceptors=interceptors)
    return grpc.aio.secure_channel(config.address, credentials, options=_OPTIONS, interceptors=interceptors)


def _refuse_token_in_clear(config: ClientConfig) -> None:
    host = config.address.rpartition("://")[2].lstrip("/").rsplit(":", 1)[0]
    if config.token and config.tls_ca is None and not is_loopback(host):
        raise SystemExit(
            f"A token would travel in clear text to {config.address}: configure TLS for that address."
        )


def _with_metadata(metadata: _Metadata | None, token: str) -> _Metadata:
    extra: list[tuple[str, str | bytes]] = [*(metadata or ())]
    if token:
        extra.append(("authorization", f"Bearer {token}"))
    current = request_id.get()
    if current and not any(key == REQUEST_ID_KEY for key, _ in extra):
        extra.append((REQUEST_ID_KEY, current))
    return tuple(extra)


class _MetadataInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, token: str) -> None:
        self._token = token

    def _call(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        return continuation(_SyncDetails(details, _with_metadata(details.metadata, self._token)), request)

    intercept_unary_unary = _call  # type: ignore[assignment]
    intercept_unary_stream = _call  # type: ignore[assignment]
    intercept_stream_unary = _call  # type: ignore[assignment]
    intercept_stream_stream = _call  # type: ignore[assignment]


class _SyncDetails(grpc.ClientCallDetails):
    def __init__(self, details: Any, metadata: _Metadata) -> None:
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


class _AioMetadata:
    def __init__(self, token: str) -> None:
        self._token = token

    async def _call(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        before = cast(_Metadata, tuple(details.metadata or ()))
        metadata = grpc.aio.Metadata(*_with_metadata(before, self._token))
        return await continuation(details._replace(metadata=metadata), request)


class _AioUnaryMetadata(_AioMetadata, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary = _AioMetadata._call  # type: ignore[assignment]


class _AioStreamMetadata(_AioMetadata, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream = _AioMetadata._call  # type: ignore[assignment]
