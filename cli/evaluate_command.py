"""`insitu evaluate`: how often the tagged product is among the first k."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.model_commands import ModelOption, bundled_model


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    catalog: Annotated[Path, typer.Argument(help="Catalogue folder whose regions name their products.")],
    model: ModelOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the figures here.")] = None,
) -> None:
    """Print recall@k of both queries: is the tagged product (or room) among the first k, category unknown?"""
    from training import recall

    found = recall.evaluate(catalog, model or bundled_model())
    print(recall.format_evaluation(found))
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(found), indent=2) + "\n", encoding="utf-8")
