"""``python -m services.search``: the search server."""

from __future__ import annotations

import asyncio

from services.runtime.config import read_config
from services.runtime.logs import configure_logging
from services.search.config import SearchConfig
from services.search.process import serve


def main() -> None:
    """Reads the environment and serves until told to stop."""
    config = read_config(SearchConfig)
    configure_logging("search", config.log_level)
    asyncio.run(serve(config))


if __name__ == "__main__":
    main()
