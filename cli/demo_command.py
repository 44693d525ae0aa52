"""`insitu demo`: everything, with one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    catalog: Annotated[
        Path | None, typer.Option("--catalog", help="Catalogue folder; default: the bundled one.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", help="Where the index is kept; default: a folder of its own under .insitu/demo."
        ),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address of the page; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the page.")] = 7860,
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="Model file. Default: the bundled one, or for 300 product images or more of your own one "
            "that is fitted to them at the first start.",
        ),
    ] = None,
) -> None:
    """Start embedder, search and web page, import the catalogue, and print the address of the page.

    Ctrl-C stops everything. The next start with the same catalogue takes seconds, as its index is kept. A
    Qdrant server is used instead of the embedded engine when INSITU_QDRANT_URL is set.
    """
    from cli.demo import DemoOptions, run_demo

    code = run_demo(DemoOptions(catalog, data, host, port, model))
    if code:
        raise typer.Exit(code)
