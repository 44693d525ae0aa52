"""`insitu serve`: one process of the system in the foreground."""

from __future__ import annotations

import os
import runpy
import sys
from enum import StrEnum
from typing import Annotated

import typer


class Process(StrEnum):
    """What can be served."""

    embedder = "embedder"
    search = "search"
    ui = "ui"


MODULES = {Process.embedder: "services.embedder", Process.search: "services.search", Process.ui: "ui"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    process: Annotated[Process, typer.Argument(help="Which process to run.")],
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on: INSITU_HOST.")] = None,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help="INSITU_PORT.")] = None,
) -> None:
    """Run one process in the foreground, configured by INSITU_* variables; SIGTERM or Ctrl-C drains it."""
    if host is not None:
        os.environ["INSITU_HOST"] = host
    if port is not None:
        os.environ["INSITU_PORT"] = str(port)
    module = MODULES[process]
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
