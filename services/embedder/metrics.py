"""What the embedder counts, beside what every server counts (`services.runtime.metrics`)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from services.runtime.metrics import LATENCY_BUCKETS_S

IMAGES = Counter("insitu_embedder_images_total", "Images embedded, by kind of call.", ["call"])
CROPS = Counter("insitu_embedder_crops_total", "Crops that went through the network.")
REFUSALS = Counter("insitu_embedder_refusals_total", "Images or boxes refused, by reason.", ["reason"])
SKIPPED = Counter(
    "insitu_embedder_skipped_total", "Crops not computed because the caller had left or was out of time."
)
ENGINE_ERRORS = Counter("insitu_embedder_engine_errors_total", "Batches that the engine failed on.")
IN_FLIGHT = Gauge(
    "insitu_embedder_in_flight", "Permits in use: crops (interactive), images (bulk).", ["call"]
)
QUEUE_DEPTH = Gauge("insitu_embedder_queue_depth", "Crops that wait for a place in a batch.")
BATCH_SIZE = Histogram(
    "insitu_embedder_batch_size", "Crops per batch.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
STAGE_SECONDS = Histogram(
    "insitu_embedder_stage_seconds",
    "Time per image (decode, wait) or batch (forward), in seconds.",
    ["stage"],
    buckets=LATENCY_BUCKETS_S,
)
