"""`insitu index`: a catalogue folder into the search service."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connection import DEFAULT_ADDRESS, AddressOption, open_client
from cli.terminal import printable, progress

if TYPE_CHECKING:
    from cli.importing import ImportReport
    from services.catalog import Catalog, RowError

SHOWN_REFUSALS = 50


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("index")(index)


def index(
    folder: Annotated[Path, typer.Argument(help="Folder with products.csv, scenes.csv and regions.csv.")],
    address: AddressOption = DEFAULT_ADDRESS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check every row and image; send nothing, need no service.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Afterwards delete what the service has and the folder does not name."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Write the refused rows and the counts here (.json, or .csv for the rows)."
        ),
    ] = None,
) -> None:
    """Import a catalogue folder. What is stored already is skipped, so run it again after any failure.

    Exit code 0: every row is in. 1: some rows were refused, the others are in. 2: could not run.
    """
    from cli.importing import ImportReport, import_catalog, write_report
    from services.catalog import read_catalog

    catalog = read_catalog(folder)
    if dry_run:
        done = ImportReport(refused=check_rows(catalog))
    else:
        with open_client(address) as client:
            done = import_catalog(client, catalog, progress, prune=prune)
        print(summary(done))
    if report is not None:
        write_report(done, catalog, report)
    say_refused(done.refused, report)
    if dry_run and not done.refused:
        print("Every row is good.")
    if done.refused:
        raise typer.Exit(1)


def check_rows(catalog: Catalog) -> list[RowError]:
    """Read every row and decode every image; return what an import would refuse."""
    from services.catalog import RowError
    from services.imaging import ImageRefused, decode_image

    refused: list[RowError] = []

    def check_image(path: Path, file: str, line: int) -> None:
        try:
            decode_image(path.read_bytes())
        except ImageRefused as error:
            refused.append(RowError(file, line, error.reason, f"{path.name}: {error.message}"))
        except OSError as error:
            text = f"{path.name} cannot be read: {error.strerror}."
            refused.append(RowError(file, line, "IMAGE_UNREADABLE", text))

    with progress("Products", len(catalog.product_ids()), "products") as bar:
        for product in catalog.products(refused.append):
            for path in product.images:
                check_image(path, product.file, product.line)
            bar.advance()
    with progress("Scenes", len(catalog.scene_ids()), "scenes") as bar:
        for scene in catalog.scenes(refused.append):
            check_image(scene.image, scene.file, scene.line)
            bar.advance()
    return sorted(refused, key=lambda error: (error.file, error.line))


def summary(report: ImportReport) -> str:
    """What an import did, in a few lines."""
    lines = [
        f"Products: {report.products_stored:,} stored, {report.products_unchanged:,} unchanged.",
        f"Scenes: {report.scenes_stored:,} stored, {report.scenes_unchanged:,} unchanged.",
        f"Regions: {report.regions:,}.",
    ]
    if report.products_deleted or report.scenes_deleted:
        lines.append(f"Deleted: {report.products_deleted:,} products, {report.scenes_deleted:,} scenes.")
    if report.not_pruned:
        lines.append(f"Nothing was deleted: {report.not_pruned}.")
    if report.model_activated:
        lines.append(f"Queries now use the model {report.model_activated[:19]}.")
    return "\n".join(lines)


def say_refused(refused: list[RowError], report: Path | None, shown: int = SHOWN_REFUSALS) -> None:
    """List refused rows on standard error, the first ones in full."""
    if not refused:
        return
    reasons = ", ".join(
        f"{count:,} {reason}" for reason, count in Counter(e.reason for e in refused).most_common()
    )
    print(f"Refused {len(refused):,} rows ({reasons}):", file=sys.stderr)
    for error in refused[:shown]:
        print(f"  {printable(str(error))}", file=sys.stderr)
    if len(refused) > shown:
        rest = "the report has all" if report else "use --report FILE to get all"
        print(f"  ... and {len(refused) - shown:,} more; {rest}.", file=sys.stderr)
