"""A catalogue folder through the import streams of the search service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from cli.terminal import Progress
from services.catalog import UNREADABLE_REASONS, Catalog, ProductRow, RowError, SceneRow
from services.search.client import (
    Box,
    ImageFile,
    ImportOutcome,
    ImportProblem,
    ImportStatus,
    Product,
    ProductUpload,
    RegionBox,
    SceneUpload,
    SearchClient,
)

StartProgress = Callable[[str, int, str], AbstractContextManager[Progress]]
DELETE_BATCH = 1_000


@dataclass
class ImportReport:
    """What an import did; grows while it runs."""

    products_stored: int = 0
    products_unchanged: int = 0
    scenes_stored: int = 0
    scenes_unchanged: int = 0
    regions: int = 0
    sent_bytes: int = 0
    products_deleted: int = 0
    scenes_deleted: int = 0
    not_pruned: str = ""
    """Why nothing was deleted although that was asked for."""
    model_activated: str = ""
    """Digest of the model that this import switched the queries to, or empty."""
    refused: list[RowError] = field(default_factory=list)


def import_catalog(
    client: SearchClient, catalog: Catalog, start_progress: StartProgress, *, prune: bool = False
) -> ImportReport:
    """Send the whole folder; what is stored already costs no embedding.

    Products first, as regions name them. When all is stored, queries are switched to the model it was
    stored under. With `prune` the service then forgets what the folder does not name.

    Raises InsituError when the service cannot go on; what it stored stays, and a later import resumes.
    """
    report = ImportReport()
    with start_progress("Products", len(catalog.product_ids()), "products") as bar:
        products = (product_upload(row) for row in catalog.products(report.refused.append))
        for outcome in client.import_products(products):
            _take(outcome, report)
            report.products_stored += outcome.status is ImportStatus.STORED
            report.products_unchanged += outcome.status is ImportStatus.UNCHANGED
            bar.advance()
    with start_progress("Scenes", len(catalog.scene_ids()), "scenes") as bar:
        scenes = (scene_upload(row) for row in catalog.scenes(report.refused.append))
        for outcome in client.import_scenes(scenes):
            _take(outcome, report)
            report.scenes_stored += outcome.status is ImportStatus.STORED
            report.scenes_unchanged += outcome.status is ImportStatus.UNCHANGED
            report.regions += outcome.region_count
            bar.advance()
    facts = client.facts()
    if facts.embedder_model_digest and facts.model_digest not in ("", facts.embedder_model_digest):
        client.activate_model(facts.embedder_model_digest)
        report.model_activated = facts.embedder_model_digest
    if prune:
        _prune(client, catalog, report)
    report.refused.sort(key=lambda error: (error.file, error.line))
    return report


def product_upload(row: ProductRow) -> ProductUpload:
    """The upload of a product; its files are read when they are sent."""
    product = Product(
        product_id=row.product_id,
        title=row.title,
        category=row.category,
        price=row.price,
        currency=row.currency,
        url=row.url,
        attributes=row.attributes,
    )
    images = tuple(ImageFile(path.read_bytes) for path in row.images)
    return ProductUpload(product, images, source=f"{row.file}:{row.line}")


def scene_upload(row: SceneRow) -> SceneUpload:
    """The upload of a scene with its regions; its file is read when it is sent."""
    regions = tuple(
        RegionBox(
            Box(region.x_min, region.y_min, region.x_max, region.y_max),
            region.product_id,
            source=f"{region.file}:{region.line}",
        )
        for region in row.regions
    )
    image = ImageFile(row.image.read_bytes)
    return SceneUpload(row.scene_id, image, row.attributes, regions, source=f"{row.file}:{row.line}")


def write_report(report: ImportReport, catalog: Catalog, path: Path) -> None:
    """Write the report as JSON, or only its refused rows as CSV when `path` ends so."""
    import csv
    import json
    from dataclasses import asdict

    if path.suffix.lower() == ".csv":
        with path.open("w", newline="", encoding="utf-8") as out:
            table = csv.writer(out)
            table.writerow(["file", "line", "reason", "message"])
            table.writerows([error.file, error.line, error.reason, error.message] for error in report.refused)
    else:
        content = {"catalog": str(catalog.folder), **asdict(report)}
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _take(outcome: ImportOutcome, report: ImportReport) -> None:
    report.sent_bytes += outcome.sent_bytes
    for problem in (outcome.problem, *outcome.region_problems):
        if problem is not None:
            report.refused.append(_row_error(problem, outcome.source))


def _row_error(problem: ImportProblem, source: str) -> RowError:
    file, _, line = (problem.source or source).rpartition(":")
    return RowError(file, int(line), problem.reason, problem.message)


def _prune(client: SearchClient, catalog: Catalog, report: ImportReport) -> None:
    if any(error.reason in UNREADABLE_REASONS for error in report.refused):
        report.not_pruned = "some rows could not be read, so nobody knows which items they name"
        return
    if catalog.products_file:
        gone = [
            product_id for product_id in _stored_products(client) if product_id not in catalog.product_ids()
        ]
        report.products_deleted = sum(map(client.delete_products, _batches(gone)))
    if catalog.scenes_file:
        wanted = catalog.scene_ids()
        gone = [scene_id for scene_id in _stored_scenes(client) if scene_id not in wanted]
        report.scenes_deleted = sum(map(client.delete_scenes, _batches(gone)))


def _batches(ids: list[str]) -> Iterator[list[str]]:
    return (ids[start : start + DELETE_BATCH] for start in range(0, len(ids), DELETE_BATCH))


def _stored_products(client: SearchClient) -> Iterator[str]:
    token = ""
    while True:
        page = client.list_products(page_size=200, page_token=token)
        yield from (product.product_id for product in page.products)
        token = page.next_page_token
        if not token:
            return


def _stored_scenes(client: SearchClient) -> Iterator[str]:
    token = ""
    while True:
        page = client.list_scenes(page_size=200, page_token=token)
        yield from (scene.scene_id for scene in page.scenes)
        token = page.next_page_token
        if not token:
            return
