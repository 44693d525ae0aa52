"""The errors that callers of the services see, and their form on the wire.

    InsituError
    ├── InvalidInput       INVALID_ARGUMENT     the request names a field that is wrong
    ├── NotFound           NOT_FOUND            an id that nothing has
    ├── NotReady           FAILED_PRECONDITION  something must be run or set first
    ├── Busy               RESOURCE_EXHAUSTED   full; says when to come again
    ├── Unavailable        UNAVAILABLE          a dependency is out of reach
    ├── Unauthenticated    UNAUTHENTICATED      no token, or a wrong one
    └── DeadlineExceeded   DEADLINE_EXCEEDED    the caller's time is over

Errors are raised where they are known; `services.runtime.interceptor` alone turns
them into statuses, `error_from_call` alone turns statuses back. Their text is public:
one English sentence for a person, without paths, internals or the user's data.
"""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "insitu"
DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"


class InsituError(Exception):
    """An error with a status code, a stable reason and a public sentence.

    Attributes:
        code: gRPC status code.
        reason: stable identifier in capitals, such as ``NOT_AN_IMAGE``.
        message: one sentence for a person.
        field: path of the request field at fault, or "".
        retry_after_s: seconds after which trying again makes sense, or None.
    """

    code = grpc.StatusCode.INTERNAL

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        field: str = "",
        retry_after_s: float | None = None,
        code: grpc.StatusCode | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        if code is not None:
            self.code = code


class InvalidInput(InsituError):
    """The request is wrong in one field."""

    code = grpc.StatusCode.INVALID_ARGUMENT

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(reason, message, field=field)


class NotFound(InsituError):
    """Nothing has the id that the field names."""

    code = grpc.StatusCode.NOT_FOUND

    def __init__(self, field: str, reason: str, message: str) -> None:
        super().__init__(reason, message, field=field)


class NotReady(InsituError):
    """The call makes sense only after something else was done; the message says what."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class Busy(InsituError):
    """Full at the moment."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, reason: str, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(reason, message, retry_after_s=retry_after_s)


class Unavailable(InsituError):
    """A dependency is out of reach; trying again later may work."""

    code = grpc.StatusCode.UNAVAILABLE


class Unauthenticated(InsituError):
    """No token, or a wrong one."""

    code = grpc.StatusCode.UNAUTHENTICATED


class DeadlineExceeded(InsituError):
    """The caller's time was over before the work was done."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


_BY_CODE: dict[grpc.StatusCode, type[InsituError]] = {
    kind.code: kind
    for kind in (InvalidInput, NotFound, NotReady, Busy, Unavailable, Unauthenticated, DeadlineExceeded)
}


def status_details(error: InsituError) -> bytes:
    """The ``google.rpc.Status`` of an error, serialised for the trailing metadata."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    details: list[any_pb2.Any] = []

    def pack(detail: message.Message) -> None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        details.append(packed)

    pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN))
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=error.message, reason=error.reason
        )
        pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(error.retry_after_s * 1e9))
        pack(error_details_pb2.RetryInfo(retry_delay=delay))
    status.details.extend(details)
    serialised: bytes = status.SerializeToString()
    return serialised


def error_from_call(call: Any) -> InsituError:
    """The typed error of a failed call: any ``grpc.RpcError``, of a blocking or an asyncio call.

    A status without our details (a connection that was refused, a proxy's answer) gets
    the matching type with the reason ``TRANSPORT``.
    """
    code = call.code() if hasattr(call, "code") else grpc.StatusCode.UNKNOWN
    text = (call.details() if hasattr(call, "details") else "") or "The call failed."
    error = new_error(code, "TRANSPORT", text)
    for key, value in (call.trailing_metadata() or ()) if hasattr(call, "trailing_metadata") else ():
        if key == DETAILS_KEY:
            _read_details(error, value)
    return error


def new_error(code: grpc.StatusCode, reason: str, message: str) -> InsituError:
    """An error of the class that belongs to a status code."""
    kind = _BY_CODE.get(code)
    error = InsituError(reason, message, code=code)
    if kind is not None:
        error.__class__ = kind
    return error


def _read_details(error: InsituError, serialised: bytes) -> None:
    try:
        status = status_pb2.Status.FromString(serialised)
    except message.DecodeError:  # of a proxy, or of another service's making
        return
    for packed in status.details:
        info, bad, retry = (
            error_details_pb2.ErrorInfo(),
            error_details_pb2.BadRequest(),
            error_details_pb2.RetryInfo(),
        )
        if packed.Unpack(info):
            error.reason = info.reason
        elif packed.Unpack(bad) and bad.field_violations:
            error.field = bad.field_violations[0].field
        elif packed.Unpack(retry):
            error.retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
