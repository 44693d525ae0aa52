"""Runs the web page: ``python -m ui``. Settings: `ui.config.UiConfig`."""

from __future__ import annotations

import os
import signal
import sys
import threading

# Before gradio is imported: it must ask nobody anything, and load nothing from elsewhere.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from services.runtime.config import read_config
from services.runtime.logs import configure_logging, get_logger
from ui.config import UiConfig
from ui.server import PageServer, PortTaken


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status."""
    config = read_config(UiConfig)
    configure_logging("ui", config.log_level)
    log = get_logger("ui")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with PageServer(config) as page:
            log.info("serving", address=page.address, search=config.search_address)
            stop.wait()
            log.info("stopping")
    except PortTaken as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except OSError as problem:
        sys.stderr.write(f"The page cannot listen on {config.host}:{config.port}: {problem.strerror}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
