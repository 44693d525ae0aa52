"""`insitu model`: look at a model file, or make one."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from cli.supervisor import ROOT
from cli.terminal import CommandFailed, printable

MODELS = ROOT / "services" / "embedder" / "models"
_BACKBONE_PREFIX = "backbone."

ModelOption = Annotated[
    Path | None, typer.Option("--model", envvar="INSITU_MODEL", help="Model file; default: the bundled one.")
]

model = typer.Typer(no_args_is_help=True, help="Look at a model file, or make one.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(model, name="model")


def bundled_model() -> Path:
    """The model file that comes with the project; raises CommandFailed when it is not here."""
    found = sorted(MODELS.glob("*.safetensors"))
    if not found:
        raise CommandFailed("The bundled model is not here: name a model file.")
    return found[0]


@model.command("show")
def show(
    file: Annotated[
        Path | None, typer.Argument(help="Model file; default: the bundled one.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model file says of itself, after checking that its parts fit together."""
    import json

    from services.embedder.model_file import load_model

    path = file or bundled_model()
    found = load_model(path)
    facts = {"file": str(path), "digest": found.digest, **found.info.model_dump(mode="json")}
    if as_json:
        print(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    preprocessing = found.info.preprocessing
    facts["preprocessing"] = f"{preprocessing.input_size_px} px, padding {preprocessing.padding_px} px of 256"
    facts["categories"] = ", ".join(found.info.categories)
    for name, value in facts.items():
        if value:
            print(f"{name:<14} {printable(str(value))}")


@model.command("fit")
def fit(
    catalog: Annotated[
        Path, typer.Argument(help="Catalogue folder whose product images the model is fitted to.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Model file to write (.safetensors).")],
    init: Annotated[
        Path | None,
        typer.Option(
            "--init", help="Starting weights of the backbone (safetensors); default: the bundled model's."
        ),
    ] = None,
    backbone: Annotated[
        str, typer.Option("--backbone", help="torchvision's name of the network.")
    ] = "mobilenet_v2",
    dimension: Annotated[
        int, typer.Option("--dimension", min=1, max=4096, help="Length of an embedding.")
    ] = 256,
) -> None:
    """Make a model for a catalogue: the backbone's features, reduced by a PCA of its product images."""
    from training import pca

    with starting_weights(init, backbone) as weights:
        fitted = pca.fit(
            catalog,
            out,
            init=weights,
            backbone=backbone,
            dimension=dimension,
            provenance=""
            if init
            else f"Backbone of {bundled_model().stem}; PCA of the catalogue's products.",
        )
    for note in fitted.notes:
        print(printable(note), file=sys.stderr)
    print(
        f"{fitted.path}: {fitted.dimension} dimensions from {fitted.images:,} images, "
        f"{fitted.explained_variance:.1%} of the variance, {fitted.digest}"
    )


@contextmanager
def starting_weights(init: Path | None, backbone: str) -> Iterator[Path | None]:
    """A file of backbone weights: the one given, or the bundled model's, which takes no download."""
    if init is not None:
        if not init.is_file():
            raise CommandFailed(f"There is no file {init} with starting weights.")
        yield init
        return
    found = bundled_model()
    if not found.stem.startswith(backbone):
        raise CommandFailed(f"The bundled model is no {backbone}: give its starting weights with --init.")
    from safetensors.numpy import load_file, save_file

    state = {
        name.removeprefix(_BACKBONE_PREFIX): weights
        for name, weights in load_file(found).items()
        if name.startswith(_BACKBONE_PREFIX)
    }
    with tempfile.TemporaryDirectory(prefix="insitu-") as folder:
        extracted = Path(folder) / "backbone.safetensors"
        save_file(state, extracted)
        yield extracted
