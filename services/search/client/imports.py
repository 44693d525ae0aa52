"""Import streams of the client: digests first, bytes on demand, a bounded window, a stall limit."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

from insitu.search.v1 import catalog_pb2
from services.imaging import DEFAULT_LIMITS
from services.runtime.config import MAX_MESSAGE_BYTES
from services.runtime.errors import DeadlineExceeded, error_from_call
from services.search import wire
from services.search.client.values import (
    ImageFile,
    ImportOutcome,
    ImportProblem,
    ImportStatus,
    ProductUpload,
    SceneUpload,
)

# What is left of a message for everything but image bytes.
_DATA_BUDGET_BYTES = MAX_MESSAGE_BYTES - 1024 * 1024
_STATUS = {
    catalog_pb2.IMPORT_STATUS_STORED: ImportStatus.STORED,
    catalog_pb2.IMPORT_STATUS_UNCHANGED: ImportStatus.UNCHANGED,
    catalog_pb2.IMPORT_STATUS_REFUSED: ImportStatus.REFUSED,
}


@dataclass
class ImportItem:
    """One upload on its way: its files, their digests once read, and how to make its request."""

    item_id: str
    source: str
    files: Sequence[ImageFile]
    build: Callable[[list[catalog_pb2.ImageUpload]], Any]
    region_sources: Sequence[str] = ()
    position: int = 0
    image_ids: list[str] = field(default_factory=list)
    wanted: frozenset[str] = frozenset()
    attempts: int = 0
    sent_bytes: int = 0


class _Unreadable(Exception):
    """A file of an upload cannot be sent; carries what to report."""

    def __init__(self, reason: str, field_path: str, message: str) -> None:
        super().__init__(message)
        self.problem = ImportProblem(reason, field_path, message)


def product_items(uploads: Iterable[ProductUpload]) -> Iterator[ImportItem]:
    """Products as items; nothing is read yet."""
    for upload in uploads:
        message = wire.product_to_proto(upload.product)
        message.ClearField("images")

        def build(images: list[catalog_pb2.ImageUpload], message: Any = message) -> Any:
            return catalog_pb2.ImportProductsRequest(product=message, images=images)

        yield ImportItem(upload.product.product_id, upload.source, upload.images, build)


def scene_items(uploads: Iterable[SceneUpload]) -> Iterator[ImportItem]:
    """Scenes as items; nothing is read yet."""
    for upload in uploads:

        def build(images: list[catalog_pb2.ImageUpload], upload: SceneUpload = upload) -> Any:
            return catalog_pb2.ImportScenesRequest(
                scene_id=upload.scene_id,
                image=images[0],
                attributes=dict(upload.attributes),
                regions=[
                    catalog_pb2.RegionUpload(box=wire.box_to_proto(region.box), product_id=region.product_id)
                    for region in upload.regions
                ],
            )

        sources = [region.source for region in upload.regions]
        yield ImportItem(upload.scene_id, upload.source, (upload.image,), build, sources)


def run_import(
    method: Callable[..., Any],
    items: Iterator[ImportItem],
    window: int,
    assume_new: bool,
    stall_s: float,
) -> Iterator[ImportOutcome]:
    """Drive one import stream; see `SearchClient.import_products`."""
    sender = _Sender(items, max(1, window), assume_new)
    call = method(iter(sender))
    watchdog = _Watchdog(call, stall_s)
    try:
        while True:
            watchdog.arm()
            try:
                response = next(call, None)
            except grpc.RpcError as error:
                if watchdog.fired:
                    raise DeadlineExceeded(
                        "IMPORT_STALLED", f"The service answered nothing for {stall_s:g} s of the import."
                    ) from error
                raise error_from_call(error) from error
            finally:
                watchdog.disarm()
            yield from sender.take_local_outcomes()
            if response is None:
                break
            outcome = sender.answered(response)
            if outcome is not None:
                yield outcome
        if sender.failure is not None:
            raise sender.failure
    finally:
        watchdog.stop()
        sender.stop()
        call.cancel()


class _Sender:
    """The request side: gRPC's thread pulls requests from it, the caller's thread feeds answers back."""

    def __init__(self, items: Iterator[ImportItem], window: int, assume_new: bool) -> None:
        self._items = items
        self._window = window
        self._assume_new = assume_new
        self._changed = threading.Condition()
        self._resend: deque[ImportItem] = deque()
        self._unanswered: deque[ImportItem] = deque()
        self._local: deque[ImportOutcome] = deque()
        self._in_flight = 0
        self._position = 0
        self._exhausted = False
        self._stopped = False
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        try:
            while (item := self._next_item()) is not None:
                try:
                    request = item.build(self._uploads(item))
                except _Unreadable as unreadable:
                    self._finish_locally(item, unreadable.problem)
                    continue
                with self._changed:
                    self._unanswered.append(item)
                yield request
        except Exception as error:  # gRPC would swallow it: keep it for the caller's thread
            self.failure = error

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def take_local_outcomes(self) -> Iterator[ImportOutcome]:
        while self._local:
            yield self._local.popleft()

    def answered(self, response: Any) -> ImportOutcome | None:
        """The outcome of the oldest unanswered item, or None when it is to be sent again."""
        with self._changed:
            item = self._unanswered.popleft()
            if response.status == catalog_pb2.IMPORT_STATUS_NEEDS_DATA and item.attempts <= len(item.files):
                item.wanted = frozenset(response.missing_image_ids)
                item.attempts += 1
                self._resend.append(item)
                self._changed.notify_all()
                return None
            self._in_flight -= 1
            self._changed.notify_all()
        return _outcome(item, response)

    def _next_item(self) -> ImportItem | None:
        with self._changed:
            while True:
                if self._stopped:
                    return None
                if self._resend:
                    return self._resend.popleft()
                if not self._exhausted and self._in_flight < self._window:
                    break
                if self._exhausted and self._in_flight == 0:
                    return None
                self._changed.wait()
            self._in_flight += 1
        try:
            item = next(self._items, None)
        except Exception as error:  # raised in the caller's thread once what was sent is answered
            self.failure = error
            item = None
        with self._changed:
            if item is None:
                self._exhausted = True
                self._in_flight -= 1
                self._changed.notify_all()
            else:
                item.position = self._position
                self._position += 1
        return item if item is not None else self._next_item()

    def _uploads(self, item: ImportItem) -> list[catalog_pb2.ImageUpload]:
        first = not item.image_ids
        budget = _DATA_BUDGET_BYTES
        uploads = []
        for index, file in enumerate(item.files):
            send = self._assume_new if first else item.image_ids[index] in item.wanted
            if not first and not send:
                uploads.append(catalog_pb2.ImageUpload(image_id=item.image_ids[index]))
                continue
            data = _read(file, index)
            if first:
                item.image_ids.append("sha256:" + hashlib.sha256(data).hexdigest())
            if not send or len(data) > budget:
                data = b""
            budget -= len(data)
            item.sent_bytes += len(data)
            uploads.append(catalog_pb2.ImageUpload(image_id=item.image_ids[index], data=data))
        return uploads

    def _finish_locally(self, item: ImportItem, problem: ImportProblem) -> None:
        with self._changed:
            self._in_flight -= 1
            self._local.append(
                ImportOutcome(item.position, item.item_id, ImportStatus.REFUSED, problem, source=item.source)
            )
            self._changed.notify_all()


def _read(file: ImageFile, index: int) -> bytes:
    path = f"images[{index}]"
    try:
        data = file.load()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise _Unreadable("IMAGE_UNREADABLE", path, f"The image file cannot be read: {reason}.") from error
    if not data:
        raise _Unreadable("EMPTY", path, "The image file is empty.")
    if len(data) > DEFAULT_LIMITS.max_bytes:
        limit = DEFAULT_LIMITS.max_bytes // 1_000_000
        raise _Unreadable("TOO_BIG", path, f"The image file has more than {limit} MB: save it smaller.")
    return data


def _outcome(item: ImportItem, response: Any) -> ImportOutcome:
    status = _STATUS.get(response.status, ImportStatus.REFUSED)
    problem = None
    if status is ImportStatus.REFUSED:
        error = response.error
        if response.status == catalog_pb2.IMPORT_STATUS_NEEDS_DATA:
            text = "The service asks for the same image again and again."
            problem = ImportProblem("IMAGE_CHANGED", "", text, item.source)
        else:
            problem = ImportProblem(error.reason, error.field, error.message, item.source)
    scene = isinstance(response, catalog_pb2.ImportScenesResponse)
    return ImportOutcome(
        position=item.position,
        item_id=item.item_id,
        status=status,
        problem=problem,
        region_problems=_region_problems(item, response) if scene else (),
        region_count=response.region_count if scene else 0,
        source=item.source,
        sent_bytes=item.sent_bytes,
    )


def _region_problems(item: ImportItem, response: Any) -> tuple[ImportProblem, ...]:
    problems = []
    for error in response.region_errors:
        number = error.field.partition("[")[2].partition("]")[0]
        known = number.isdecimal() and int(number) < len(item.region_sources)
        source = item.region_sources[int(number)] if known else item.source
        problems.append(ImportProblem(error.reason, error.field, error.message, source))
    return tuple(problems)


class _Watchdog:
    """Cancels a call whose answer is awaited for longer than `stall_s`."""

    def __init__(self, call: Any, stall_s: float) -> None:
        self._call = call
        self._stall_s = stall_s
        self._due: float | None = None
        self._changed = threading.Condition()
        self._stopped = False
        self.fired = False
        threading.Thread(target=self._run, name="import-watchdog", daemon=True).start()

    def arm(self) -> None:
        with self._changed:
            self._due = time.monotonic() + self._stall_s
            self._changed.notify()

    def disarm(self) -> None:
        with self._changed:
            self._due = None

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while not self._stopped:
                if self._due is None:
                    self._changed.wait()
                elif (left_s := self._due - time.monotonic()) > 0:
                    self._changed.wait(left_s)
                else:
                    self.fired = True
                    self._call.cancel()
                    return
