"""Page tokens: a position in the answer to one request, and useless with any other request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from google.protobuf.message import Message

from services.runtime.errors import InvalidInput

_CHECK_BYTES = 12
_MAX_TOKEN_CHARS = 200


def page_token(request: Message, position: str) -> str:
    """A token for the page of `request` that starts at `position`."""
    raw = position.encode()
    return base64.urlsafe_b64encode(_check(request, raw) + raw).decode().rstrip("=")


def page_position(request: Message) -> str:
    """The position that the request's own page_token names; "" without a token.

    Raises:
        InvalidInput: the token was made up, or came from another query.
    """
    token: str = request.page_token  # type: ignore[attr-defined]
    if not token:
        return ""
    wrong = wrong_token()
    if len(token) > _MAX_TOKEN_CHARS:
        raise wrong
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        position = raw[_CHECK_BYTES:].decode()
    except (binascii.Error, ValueError) as error:
        raise wrong from error
    if not hmac.compare_digest(raw[:_CHECK_BYTES], _check(request, raw[_CHECK_BYTES:])):
        raise wrong
    return position


def wrong_token() -> InvalidInput:
    """What is raised for a token that this service did not give out for the query."""
    return InvalidInput(
        "page_token",
        "BAD_PAGE_TOKEN",
        "The page token does not belong to this query: send next_page_token of the same query unchanged.",
    )


def page_size(asked: int, *, default: int, most: int) -> int:
    """The size of a page: `default` for 0, at most `most`.

    Raises:
        InvalidInput: a negative size.
    """
    if asked < 0:
        raise InvalidInput("page_size", "BAD_PAGE_SIZE", f"page_size must be 0 to {most}, not {asked}.")
    return min(asked or default, most)


def _check(request: Message, position: bytes) -> bytes:
    query = type(request)()
    query.CopyFrom(request)
    for paging in ("page_token", "page_size"):  # the size may change from page to page
        query.ClearField(paging)
    digest = hashlib.sha256(query.DESCRIPTOR.full_name.encode())
    for part in (query.SerializeToString(deterministic=True), position):
        digest.update(hashlib.sha256(part).digest())
    return digest.digest()[:_CHECK_BYTES]
