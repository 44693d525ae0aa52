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
        help="host:port of the search service. TLS and token: INSITU_SEARCH_TLS_CA, INSITU_SEARCH_TOKEN.",
    ),
]


def open_client(address: str) -> SearchClient:
    """A client of the search service at `address`, with TLS and token of the environment."""
    from services.runtime.config import ClientConfig
    from services.search.client import SearchClient

    authority = os.environ.get("INSITU_SEARCH_TLS_CA", "")
    if authority and not Path(authority).is_file():
        raise CommandFailed("INSITU_SEARCH_TLS_CA names no file.")
    return SearchClient(
        ClientConfig(
            address=address,
            tls_ca=Path(authority) if authority else None,
            token=os.environ.get("INSITU_SEARCH_TOKEN", ""),
        )
    )
