"""Where the search process is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import CommandFailed

if TYPE_CHECKING:
    from services.search.client import SearchClient

DEFAULT_ADDRESS = "127.0.0.1:50052"

AddressOption = Annotated[
    str,
    typer.Option(
        "--address",
        envvar="INSITU_SEARCH_ADDRESS",
        help="host:port of the search service. TLS and token: INSITU_SEARCH_TLS_CA, INSITU_SEARCH_TOKEN "
        "(and INSITU_SEARCH_TLS_CERT, INSITU_SEARCH_TLS_KEY where it asks for a certificate).",
    ),
]


def open_client(address: str) -> SearchClient:
    """A client of the search service at `address`, with TLS and token of the environment."""
    from services.runtime.config import ClientConfig
    from services.search.client import SearchClient

    return SearchClient(
        ClientConfig(
            address=address,
            tls_ca=_file_of("INSITU_SEARCH_TLS_CA"),
            tls_cert=_file_of("INSITU_SEARCH_TLS_CERT"),
            tls_key=_file_of("INSITU_SEARCH_TLS_KEY"),
            token=os.environ.get("INSITU_SEARCH_TOKEN", ""),
        )
    )


def _file_of(variable: str) -> Path | None:
    name = os.environ.get(variable, "")
    if name and not Path(name).is_file():
        raise CommandFailed(f"{variable} names no file.")
    return Path(name) if name else None
