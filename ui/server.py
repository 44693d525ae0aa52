"""Serves the page: routes, limits, start and stop."""

from __future__ import annotations

import os
import socket
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from starlette.middleware import Middleware

from services.search.client import SearchClient
from ui.app import Views, build_page
from ui.catalog_view import CatalogView
from ui.config import UiConfig
from ui.images import CatalogImages
from ui.photo_shelf import PhotoShelf
from ui.product_view import ProductView
from ui.room_view import RoomView
from ui.theme import PAGE_CSS, page_theme
from ui.web_guard import WebGuard

_SESSIONS = 500  # gradio remembers what it last showed to each


class PortTaken(Exception):
    """Another program listens where the page should; the message says what to do."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"Port {port} on {host} is taken by another program: "
            "stop it, or choose another port with INSITU_PORT."
        )


class PageServer:
    """The page, served from a background thread between enter and exit. It closes the client.

    Raises on enter:
        PortTaken: the port is in use.
    """

    def __init__(self, config: UiConfig, client: SearchClient | None = None) -> None:
        self._config = config
        self._client = client or SearchClient(config.search_client_config())
        self._undo = ExitStack()
        self.address = ""

    def __enter__(self) -> Self:
        """Starts; `address` is the page's address from now on."""
        with ExitStack() as undo:  # a start that fails leaves nothing behind
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stops, and deletes what uploads left behind."""
        self._undo.close()

    def _start(self, undo: ExitStack) -> None:
        undo.callback(self._client.close)
        config = self._config
        port = free_port(config.host, config.port)
        upload_dir = Path(
            undo.enter_context(
                tempfile.TemporaryDirectory(prefix="insitu-uploads-", ignore_cleanup_errors=True)
            )
        )
        # gradio reads the place of uploads from here; ours is private to this process and goes with it.
        _set_variable(undo, "GRADIO_TEMP_DIR", str(upload_dir))
        # Otherwise it makes a table of all requests since the start after every single one.
        _set_variable(undo, "GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
        shelf, images = PhotoShelf(), CatalogImages(self._client, deadline_s=config.search_deadline_s)
        page = build_page(self._views(shelf, upload_dir), config)
        undo.callback(page.close, verbose=False)
        page.queue(max_size=config.max_waiting, api_open=False)
        # launch, not mount_gradio_app: the latter leaves gradio's check of file paths off.
        page.launch(
            server_name=config.host,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            share=False,
            ssr_mode=False,
            show_error=False,
            inbrowser=False,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,  # else anybody may read the summary of all requests
            allowed_paths=[],
            max_file_size=config.max_upload_bytes,
            max_threads=max(40, 2 * config.max_searches),
            state_session_capacity=_SESSIONS,
            favicon_path=Path(__file__).with_name("favicon.svg"),
            theme=page_theme(),
            css_paths=PAGE_CSS,
            app_kwargs={
                "routes": [images.route(), shelf.route()],
                "middleware": [Middleware(WebGuard, max_upload_bytes=config.max_upload_bytes)],
            },
        )
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.address = f"http://{host}:{port}/"

    def _views(self, shelf: PhotoShelf, upload_dir: Path) -> Views:
        config, client = self._config, self._client
        return Views(
            RoomView(
                client,
                shelf,
                upload_dir,
                max_upload_bytes=config.max_upload_bytes,
                max_decodes=config.max_decodes,
                deadline_s=config.search_deadline_s,
            ),
            ProductView(client, deadline_s=config.search_deadline_s),
            CatalogView(client, deadline_s=config.search_deadline_s),
        )


def _set_variable(undo: ExitStack, name: str, value: str) -> None:
    """Sets an environment variable, which is how gradio is configured, until `undo` is closed."""
    before = os.environ.get(name)
    os.environ[name] = value
    if before is None:
        undo.callback(os.environ.pop, name, None)
    else:
        undo.callback(os.environ.__setitem__, name, before)


def free_port(host: str, port: int) -> int:
    """The port to use: `port` itself, or one that the system chooses when it is 0.

    Raises:
        PortTaken: something listens there already.
        OSError: the host is not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if port and isinstance(problem, OSError) and problem.errno in {98, 48, 10048}:
                raise PortTaken(host, port) from problem
            raise
        return int(probe.getsockname()[1])
