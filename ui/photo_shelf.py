"""Shows visitors their own photos: one route, unguessable addresses, memory only.

    GET /photo/<32 hex digits>

The shelf holds photos weakly: when a session forgets its photo, the address ends.
"""

from __future__ import annotations

from weakref import WeakValueDictionary

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from ui.photo import Photo


class PhotoShelf:
    """Photos that some session holds, by their random id."""

    def __init__(self) -> None:
        self._photos: WeakValueDictionary[str, Photo] = WeakValueDictionary()

    def put(self, photo: Photo) -> str:
        """The address of a photo, relative to the page, good for as long as the photo lives."""
        self._photos[photo.photo_id] = photo
        return f"photo/{photo.photo_id}"

    def route(self) -> Route:
        """The route, for the web application."""
        return Route("/photo/{photo_id}", self.respond, methods=["GET"])

    async def respond(self, request: Request) -> Response:
        """Answers one request: 200 or 404."""
        photo = self._photos.get(request.path_params["photo_id"])
        if photo is None:
            return PlainTextResponse("There is no such picture.", 404)
        headers = {"Cache-Control": "private, no-store"}
        return Response(photo.shown_jpeg, media_type="image/jpeg", headers=headers)
