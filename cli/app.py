"""The `insitu` command: its sub-commands, and what an error looks like.

Exit codes of every command: 0 all good, 1 done but with refused rows (`index`), 2 could not run, 130 stopped
by Ctrl-C. Nothing heavy is imported before the command that needs it runs.
"""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from cli import (
    catalog_commands,
    demo_command,
    evaluate_command,
    index_command,
    model_commands,
    search_commands,
    serve_command,
)
from cli.terminal import CommandFailed, say_error

app = typer.Typer(
    name="insitu",
    help="Visual search for interior design: from an object in a room photo to products, "
    "and from a product to the rooms that use it.",
    epilog="Start with: insitu demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"insitu {metadata.version('insitu')}")
        raise typer.Exit


@app.callback()
def _insitu(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Options before the sub-command."""


demo_command.add_to(app)
index_command.add_to(app)
search_commands.add_to(app)
catalog_commands.add_to(app)
serve_command.add_to(app)
model_commands.add_to(app)
evaluate_command.add_to(app)


def main() -> None:
    """Run the command line; every expected error is one sentence on standard error."""
    try:
        app(prog_name="insitu")
    except CommandFailed as error:
        say_error(str(error))
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = _expected(error)
        if sentence is None:
            raise
        say_error(sentence)
        sys.exit(2)


def _expected(error: Exception) -> str | None:
    """The sentence of an error that a user can meet, None for a bug.

    The modules that define them are loaded already if one of them was raised.
    """
    for module, name in (
        ("services.runtime.errors", "InsituError"),
        ("services.catalog.tables", "CatalogUnreadableError"),
        ("services.imaging.refusals", "ImageRefused"),
        ("services.embedder.model_file", "ModelFileError"),
        ("services.embedder.engine_choice", "EngineUnavailableError"),
        ("training.pca", "CannotFitError"),
        ("training.recall", "NothingToEvaluateError"),
    ):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return _of_transport(error) or str(error)
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = _EXTRA_OF.get(error.name.split(".")[0])
        return f"This command needs {error.name}: install insitu[{extra}]." if extra else None
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return None


def _of_transport(error: Exception) -> str:
    """The sentence of an error that gRPC itself gave, whose words help nobody; "" of any other."""
    if getattr(error, "reason", "") != "TRANSPORT":
        return ""
    code = getattr(getattr(error, "code", None), "name", "")
    return _TRANSPORT.get(code, f"The call failed with {code}: see the log of the search service.")


_UNREACHABLE = (
    "The search service cannot be reached: start it with `insitu demo` or `insitu serve search`, "
    "or say where it is with --address."
)
_TRANSPORT = {
    "UNAVAILABLE": _UNREACHABLE,
    "DEADLINE_EXCEEDED": "The search service did not answer in time: try again, or see its log.",
    "UNIMPLEMENTED": "What answers at --address is not the search service, or one of another version.",
    "RESOURCE_EXHAUSTED": "The search service takes no more calls, or none of this size: try again later.",
}
_EXTRA_OF = {
    "torch": "embedder",
    "torchvision": "embedder",
    "safetensors": "embedder",
    "qdrant_client": "search",
    "qdrant_edge": "search",
    "fsspec": "search",
    "gradio": "ui",
    "pyarrow": "parquet",
}
