"""Prometheus metrics that every gRPC server has, and the endpoint that shows them.

A service's own metrics stand in its own ``metrics.py``.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, start_http_server

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

CALLS = Counter("insitu_grpc_calls_total", "Calls that ended, by method and status code.", ["method", "code"])
CALL_SECONDS = Histogram(
    "insitu_grpc_call_seconds", "Duration of calls in seconds.", ["method"], buckets=LATENCY_BUCKETS_S
)
IN_FLIGHT = Gauge("insitu_grpc_calls_in_flight", "Calls being handled.", ["method"])


def serve_metrics(host: str, port: int) -> None:
    """Serve ``/metrics`` over HTTP from a daemon thread, until the process ends.

    Raises:
        SystemExit: the port cannot be had.
    """
    try:
        start_http_server(port, addr=host)
    except OSError as problem:
        raise SystemExit(
            f"The metrics port {port} on {host} cannot be had ({problem.strerror}): "
            "set INSITU_METRICS_PORT to a free one, or to 0 to turn metrics off."
        ) from problem
