"""Pictures of the catalogue for the browser: one route, no file paths, cached.

    GET /catalog-image/sha256:<64 hex digits>?side=320

An address names a picture by its content, so it can be cached for ever.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.runtime.errors import InsituError, InvalidInput, NotFound
from services.search.client import SearchClient

CARD_SIDE_PX = 320
LARGE_SIDE_PX = 960
_SIDES = (CARD_SIDE_PX, LARGE_SIDE_PX)
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


def image_address(image_id: str, side_px: int) -> str:
    """Address of a picture, relative to the page."""
    return f"catalog-image/{quote(image_id)}?side={side_px}"


class CatalogImages:
    """Serves pictures from the search service and keeps the last ones in memory."""

    def __init__(
        self, client: SearchClient, *, deadline_s: float = 10.0, keep_bytes: int = 64_000_000
    ) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._keep_bytes = keep_bytes
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def route(self) -> Route:
        """The route, for the web application."""
        # A plain function, so that the web server runs it in a worker thread.
        return Route("/catalog-image/{image_id}", self.respond, methods=["GET"])

    def respond(self, request: Request) -> Response:
        """Answers one request: 200, 404 or 503."""
        image_id = request.path_params["image_id"]
        side = request.query_params.get("side", str(CARD_SIDE_PX))
        if not _IMAGE_ID.fullmatch(image_id) or side not in {str(each) for each in _SIDES}:
            return PlainTextResponse("There is no such picture.", 404)
        try:
            jpeg = self.jpeg(image_id, int(side))
        except (NotFound, InvalidInput):
            return PlainTextResponse("There is no such picture.", 404)
        except InsituError:
            return PlainTextResponse("The search service cannot be reached.", 503)
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    def jpeg(self, image_id: str, side_px: int) -> bytes:
        """A picture as JPEG, from memory where possible. Raises InsituError."""
        key = (image_id, side_px)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        jpeg = self._client.get_image(image_id, side_px, deadline_s=self._deadline_s)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = jpeg
                self._kept_bytes += len(jpeg)
            while self._kept_bytes > self._keep_bytes:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)
        return jpeg
