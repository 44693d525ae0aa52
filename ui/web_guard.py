"""What the web server adds to every answer, and refuses before gradio reads it."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.photo import too_big

# gradio makes its page with inline scripts and `Function`; everything else comes from this host alone.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# A multipart body is a little longer than its file.
_FORM_BYTES = 16 * 1024


class WebGuard:
    """ASGI middleware: security headers, and 413 in plain words for uploads announced as too big."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app = app
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        if scope["method"] == "POST" and scope["path"].rstrip("/").endswith("/upload"):
            length = Headers(scope=scope).get("content-length", "")
            if length.isdigit() and int(length) > self._max_upload_bytes + _FORM_BYTES:
                refusal = PlainTextResponse(too_big(self._max_upload_bytes).message, status_code=413)
                await refusal(scope, receive, send_with_headers)
                return
        await self._app(scope, receive, send_with_headers)
