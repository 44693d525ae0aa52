"""What the search process counts, besides what every gRPC server counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from services.runtime.metrics import LATENCY_BUCKETS_S

STAGE_SECONDS = Histogram(
    "insitu_search_stage_seconds",
    "Time of a query by stage (embed, index), in seconds.",
    ["stage"],
    buckets=LATENCY_BUCKETS_S,
)
IMPORTED = Counter(
    "insitu_search_imported_items_total",
    "Imported items, by kind and what became of them.",
    ["kind", "status"],
)
INDEX_UP = Gauge("insitu_search_index_up", "1 while the vector database answers.")
