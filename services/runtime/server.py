"""A gRPC server process: ports, health, reflection, drain."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.runtime.config import ServerConfig, is_loopback
from services.runtime.interceptor import CallInterceptor
from services.runtime.logs import get_logger
from services.runtime.metrics import serve_metrics
from services.runtime.tls import server_credentials

LIVENESS = ""
READINESS = "readiness"

_log = get_logger(__name__)


class GrpcServer:
    """A server from its port to its drain.

    ::

        async with GrpcServer(config, "embedder", [full name of each service]) as server:
            add_EmbedderServiceServicer_to_server(servicer, server.grpc)
            await server.start()          # answers, but is not ready
            server.set_ready(True)
            await server.wait_for_termination()

    Health has three kinds of names: ``""`` is liveness (the process can go on),
    ``"readiness"`` and the services' own names are readiness (calls can be answered).

    Args:
        config: where to listen, TLS, tokens, bounds.
        name: of the process, for logs.
        service_names: full names of the services, for reflection and health.
    """

    def __init__(self, config: ServerConfig, name: str, service_names: Sequence[str]) -> None:
        self.port = 0
        self._config = config
        self._name = name
        self._service_names = tuple(service_names)
        self._stop = asyncio.Event()
        self._ready = False
        self._live = True
        self._health = health.aio.HealthServicer()
        self._tokens = config.accepted_tokens()
        self.grpc = grpc.aio.server(
            interceptors=[CallInterceptor(self._tokens)],
            maximum_concurrent_rpcs=config.max_concurrent_calls,
            options=(
                ("grpc.max_receive_message_length", config.max_message_bytes),
                ("grpc.max_send_message_length", config.max_message_bytes),
                ("grpc.max_connection_idle_ms", int(config.idle_s * 1000)),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error, not a shared port
            ),
        )

    async def __aenter__(self) -> GrpcServer:
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.grpc)
        names = (*self._service_names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self.grpc)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen and answer health checks; not ready yet.

        Raises:
            SystemExit: the port cannot be had, or a TLS file cannot be read.
        """
        host, port = self._config.host, self._config.port
        address = f"[{host}]:{port}" if ":" in host and not host.startswith("unix:") else f"{host}:{port}"
        credentials = server_credentials(self._config)
        try:
            if credentials is None:
                self.port = self.grpc.add_insecure_port(address)
            else:
                self.port = self.grpc.add_secure_port(address, credentials)
        except RuntimeError as problem:
            raise SystemExit(
                f"Cannot listen on {address}: the port is taken or the address is not this machine's. "
                "Set INSITU_HOST and INSITU_PORT to something else."
            ) from problem
        if not is_loopback(host) and (
            credentials is None or not (self._tokens or self._config.tls_client_ca)
        ):
            _log.warning(
                "open to the network without TLS and tokens: set INSITU_TLS_CERT and INSITU_TOKENS",
                host=host,
            )
        if self._config.metrics_port:
            serve_metrics(self._config.metrics_host, self._config.metrics_port)
        await self.grpc.start()
        await self._publish()
        _log.info("listening", host=host, port=self.port, tls=credentials is not None)

    def set_ready(self, ready: bool) -> None:
        """Say whether calls can be answered."""
        if ready != self._ready:
            self._ready = ready
            _log.info("ready" if ready else "not ready")
            self._publish_soon()

    def set_live(self, live: bool) -> None:
        """Say whether the process can go on; a supervisor restarts one that cannot."""
        if live != self._live:
            self._live = live
            self._publish_soon()

    async def wait_for_termination(self) -> None:
        """Serve until SIGTERM, SIGINT or `request_stop`, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        try:
            await self._stop.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        await self.stop()

    def request_stop(self) -> None:
        """End `wait_for_termination`."""
        self._stop.set()

    async def stop(self) -> None:
        """Take no more calls, let those in flight end for ``drain_s``, then cut them."""
        self._ready = False
        await self._health.enter_graceful_shutdown()
        await self.grpc.stop(self._config.drain_s)

    def _publish_soon(self) -> None:
        self._publishing = asyncio.get_running_loop().create_task(self._publish())

    async def _publish(self) -> None:
        def status(good: bool) -> Any:
            response = health_pb2.HealthCheckResponse
            return response.SERVING if good else response.NOT_SERVING

        await self._health.set(LIVENESS, status(self._live))
        for name in (READINESS, *self._service_names):
            await self._health.set(name, status(self._ready))
