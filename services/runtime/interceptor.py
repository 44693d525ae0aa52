"""The one interceptor of every server: request id, token, errors to statuses, metrics, log line."""

from __future__ import annotations

import asyncio
import hmac
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.message import DecodeError

from services.runtime import metrics
from services.runtime.errors import (
    DETAILS_KEY,
    REQUEST_ID_KEY,
    InsituError,
    InvalidInput,
    Unauthenticated,
    status_details,
)
from services.runtime.logs import get_logger, request_id

_log = get_logger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Probes have no token, and tell nothing but whether the process can serve.
_OPEN_METHODS = ("/grpc.health.v1.Health/",)

if TYPE_CHECKING:  # generic in the stubs only
    _Handler = grpc.RpcMethodHandler[Any, Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every call.

    Errors that are `InsituError` become their status with details; any other exception
    becomes INTERNAL with the request id and no text of its own, and is logged in full.

    Args:
        tokens: accepted bearer tokens; empty accepts every caller.
    """

    def __init__(self, tokens: frozenset[str] = frozenset()) -> None:
        self._tokens = [token.encode() for token in tokens]

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        """Wrap the handler of one call; called by gRPC."""
        handler: Any = await continuation(handler_call_details)
        if handler is None:  # an unknown method: gRPC answers UNIMPLEMENTED
            return None
        method = handler_call_details.method
        call = _Call(method, self._check_token if not method.startswith(_OPEN_METHODS) else None)
        inner = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream

        readable = _readable_stream if handler.request_streaming else _readable

        if handler.response_streaming:

            async def streaming(request: Any, context: Any) -> AsyncIterator[Any]:
                async with call.guarded(context):
                    answers = inner(readable(request), context)
                    if not hasattr(answers, "__aiter__"):  # a handler that writes through the context
                        await answers
                        return
                    async for answer in answers:
                        yield answer

            wrapped: Any = streaming
        else:

            async def single(request: Any, context: Any) -> Any:
                async with call.guarded(context):
                    return await inner(readable(request), context)

            wrapped = single

        build = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        return build(
            wrapped,
            request_deserializer=_decoder(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _check_token(self, metadata: dict[str, Any]) -> None:
        if not self._tokens:
            return
        scheme, _, given = str(metadata.get("authorization", "")).partition(" ")
        matches = [hmac.compare_digest(given.encode(), token) for token in self._tokens]
        if scheme.lower() != "bearer" or not any(matches):
            raise Unauthenticated(
                "BAD_TOKEN", "This service needs a token: send 'authorization: Bearer TOKEN' as metadata."
            )


class _Undecodable:
    """Stands for a request that is no message of its method's type."""


def _decoder(decode: Callable[[bytes], Any] | None) -> Callable[[bytes], Any] | None:
    """`decode` without its exception, which gRPC would answer with the library's own words."""
    if decode is None:
        return None

    def decoded(serialised: bytes) -> Any:
        try:
            return decode(serialised)
        except DecodeError:
            return _Undecodable()

    return decoded


def _readable(request: Any) -> Any:
    if isinstance(request, _Undecodable):
        raise InvalidInput("", "UNDECODABLE", "The request is not a message of the type of this method.")
    return request


async def _readable_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _readable(request)


class _Call:
    """What surrounds the handler of one call."""

    def __init__(self, method: str, check_token: Callable[[dict[str, Any]], None] | None) -> None:
        self._method = method
        self._check_token = check_token

    @asynccontextmanager
    async def guarded(self, context: Any) -> AsyncIterator[None]:
        metadata = dict(context.invocation_metadata() or ())
        given = str(metadata.get(REQUEST_ID_KEY, ""))
        current = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request_id.set(current)  # the context is the call's own task
        started = time.perf_counter()
        code = grpc.StatusCode.OK
        in_flight = metrics.IN_FLIGHT.labels(self._method)
        in_flight.inc()
        try:
            if self._check_token is not None:
                self._check_token(metadata)
            yield
        except InsituError as error:
            code = error.code
            await self._abort(context, error, current)
        except asyncio.CancelledError:  # the client left, or its deadline passed
            code = grpc.StatusCode.CANCELLED
            raise
        except grpc.aio.AbortError:
            code = grpc.StatusCode.UNKNOWN
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            _log.exception("unexpected error", method=self._method)
            unexpected = InsituError("INTERNAL", f"Something went wrong here. Request id: {current}.")
            await self._abort(context, unexpected, current)
        finally:
            in_flight.dec()
            elapsed_s = time.perf_counter() - started
            metrics.CALLS.labels(self._method, code.name).inc()
            metrics.CALL_SECONDS.labels(self._method).observe(elapsed_s)
            if self._check_token is not None:
                _log.info("call", method=self._method, code=code.name, ms=round(elapsed_s * 1e3, 1))

    async def _abort(self, context: Any, error: InsituError, current: str) -> None:
        trailing = ((REQUEST_ID_KEY, current), (DETAILS_KEY, status_details(error)))
        await context.abort(error.code, error.message, trailing)
