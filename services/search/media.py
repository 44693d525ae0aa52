"""The media store: image files by their content's digest, in a folder or behind an fsspec URL.

A file's name is its SHA-256, so that an image is stored once however many items show it,
and a half-written file can never be taken for a whole one: it is moved into place.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

import fsspec

from services.runtime.errors import Unavailable

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_WORKERS = 4
_Value = TypeVar("_Value")


def is_image_id(text: str) -> bool:
    """Whether the text is "sha256:" and 64 lower-case hex digits."""
    return _IMAGE_ID.fullmatch(text) is not None


class Media:
    """Asynchronous access to a store. Errors: `Unavailable` (out of reach, disk full).

    Args:
        location: a folder, or a URL that fsspec knows, such as ``s3://bucket/images``.
    """

    def __init__(self, location: str) -> None:
        self._store: _Store = _UrlStore(location) if "://" in location else _FolderStore(Path(location))
        self._executor = ThreadPoolExecutor(_WORKERS, thread_name_prefix="media")

    async def has(self, image_id: str) -> bool:
        """Whether the image is stored."""
        return await self._run(lambda: self._store.has(_name(image_id)))

    async def get(self, image_id: str) -> bytes | None:
        """The file, or None."""
        return await self._run(lambda: self._store.get(_name(image_id)))

    async def put(self, image_id: str, data: bytes) -> None:
        """Stores a file whose digest the caller has verified; returns when it is durable."""
        await self._run(lambda: self._store.put(_name(image_id), data))

    async def delete(self, image_id: str) -> None:
        """Removes a file; one that is not there is no error."""
        await self._run(lambda: self._store.delete(_name(image_id)))

    def close(self) -> None:
        """Waits for what is being written."""
        self._executor.shutdown()

    async def _run(self, work: Callable[[], _Value]) -> _Value:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                text = "The disk of the images is full: free some space. What was stored before still serves."
                raise Unavailable("DISK_FULL", text) from error
            raise Unavailable("MEDIA_UNREACHABLE", "The store of the images cannot be used.") from error


class _Store(Protocol):
    def has(self, name: str) -> bool: ...
    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, data: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


class _FolderStore:
    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SystemExit(f"The media folder {folder} cannot be used: {error.strerror}.") from error
        self._folder = folder

    def has(self, name: str) -> bool:
        return (self._folder / name).is_file()

    def get(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, data: bytes) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=path.parent, prefix=".part-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise

    def delete(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)


class _UrlStore:
    """Object stores make a file visible only when it is whole, so nothing is moved here."""

    def __init__(self, url: str) -> None:
        try:
            self._files: Any
            self._files, root = fsspec.core.url_to_fs(url)
        except (ImportError, ValueError) as error:
            raise SystemExit(f"INSITU_MEDIA_URL cannot be used: {error}") from error
        self._root = str(root).rstrip("/")

    def has(self, name: str) -> bool:
        return bool(self._files.exists(f"{self._root}/{name}"))

    def get(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(f"{self._root}/{name}"))
        except FileNotFoundError:
            return None

    def put(self, name: str, data: bytes) -> None:
        self._files.makedirs(f"{self._root}/{name.rpartition('/')[0]}", exist_ok=True)
        self._files.pipe_file(f"{self._root}/{name}", data)

    def delete(self, name: str) -> None:
        try:
            self._files.rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            return


def _name(image_id: str) -> str:
    assert is_image_id(image_id), "callers check ids: they become file names"
    digest = image_id.removeprefix("sha256:")
    return f"{digest[:2]}/{digest}"
