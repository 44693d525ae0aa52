"""The folder of the embedded index: who owns it, what was made for which model, durable small files."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from services.search.index.port import Metric, ModelSpec


def lock_folder(folder: Path) -> IO[str]:
    """Make this process the owner of the folder until the file is closed.

    Raises:
        SystemExit: another process owns it, or the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "LOCK").open("a+", encoding="utf-8")
    except OSError as error:
        raise SystemExit(f"The index folder {folder} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        owner = file.read().strip() or "unknown"
        file.close()
        raise SystemExit(
            f"Another process (pid {owner}) uses the index in {folder}: stop it, set INSITU_DATA_DIR to "
            "another folder, or use a Qdrant server (INSITU_QDRANT_URL), which many processes can share."
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def sync_folder(folder: Path) -> None:
    """Return when the files of the folder survive a power loss. Releases the GIL while it waits."""
    for path in [*folder.iterdir(), folder]:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:  # the engine dropped a part of the log that it needs no more
            continue
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_durably(path: Path, text: str) -> None:
    """Replace a file in one step that survives a power loss."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder_entry(path.parent)


def sync_folder_entry(folder: Path) -> None:
    """Return when the names in the folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_spec(folder: Path) -> ModelSpec | None:
    """What the collections in a folder were made for, or None where there are none."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ModelSpec(str(meta["digest"]), int(meta["dimension"]), Metric(meta["metric"]))
