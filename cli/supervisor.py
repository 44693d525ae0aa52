"""Child processes that start together, are watched, and never outlive their supervisor."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.terminal import CommandFailed

POLL_S = 0.1
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Child:
    """A running process of ours."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Supervisor:
    """Starts children, notices when one dies, and stops them all in a bounded time.

    Each child has a process group of its own (a terminal's Ctrl-C reaches only the supervisor, which then
    drains them in order), logs to a file, and ends by itself when the supervisor is killed (`cli.leash`).

    Args:
        logs: folder of the log files; a log starts anew with its process, the one before is kept beside it.
        drain_s: time for all children to end after SIGTERM; what is left is then killed.
    """

    def __init__(self, logs: Path, drain_s: float = 8.0) -> None:
        self._logs = logs
        self._drain_s = drain_s
        self._children: list[Child] = []
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, module: str, arguments: Sequence[str], env: Mapping[str, str]) -> Child:
        """Start `python -m module arguments` with `env` over this process's environment."""
        log = self._logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603  our own modules only
                # -P: a folder "ui" or "services" in the current directory is not ours.
                [sys.executable, "-P", "-m", "cli.leash", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": _python_path(), **env},
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raise CommandFailed, saying why and where to read more, when a child has died."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise CommandFailed(
                    f"The {child.name} process ended {_exit_text(code)}: "
                    f"{last_words(child.log)} (log: {child.log})"
                )

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Return when `ready()`; raise CommandFailed when a child dies or the time is over."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise CommandFailed(
                    f"{what} did not get ready in {timeout_s:.0f} s; see the logs in {self._logs}."
                )
            time.sleep(POLL_S)

    def run(self, name: str, module: str, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        """Run a child to its end; raise CommandFailed when it fails."""
        child = self.start(name, module, arguments, env)
        code = child.process.wait()
        self._forget(child)
        if code:
            raise CommandFailed(f"{name} failed: {last_words(child.log)} (log: {child.log})")

    def stop(self) -> None:
        """End all children, the last started first; return when none is left."""
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C: no more patience
            for child in reversed(self._children):
                _signal_group(child, signal.SIGTERM)
            deadline = time.monotonic() + self._drain_s
            for child in self._children:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(deadline - time.monotonic(), 0.01))
        for child in list(self._children):
            # The group, not the process alone: whatever a child started goes with it.
            _signal_group(child, signal.SIGKILL)
            child.process.wait()
            self._forget(child)

    def _forget(self, child: Child) -> None:
        self._children.remove(child)
        if child.process.stdin is not None:
            child.process.stdin.close()


def last_words(log: Path) -> str:
    """The last thing a process said, as one sentence: its last error if its log is JSON."""
    try:
        with log.open("rb") as source:
            source.seek(max(log.stat().st_size - 65_536, 0))
            lines = source.read().decode("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    lines = [line.strip() for line in lines if line.strip()]
    plain = ""
    for line in reversed(lines):
        entry = _json_entry(line)
        if entry is None:
            plain = plain or line
        elif entry.get("level") in ("error", "critical"):
            return plain or _shortened(str(entry.get("event", "")))
    return _shortened(plain) if plain else "it said nothing"


def _json_entry(line: str) -> dict[str, object] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _shortened(text: str) -> str:
    return text if len(text) <= 300 else f"{text[:297]}..."


def _exit_text(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"by {signal.Signals(-code).name}"
    return f"with code {code}"


def _signal_group(child: Child, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


def _python_path() -> str:
    """Path with this checkout first: a demo runs the code that it was started from, installed or not."""
    ours = [str(path) for path in (ROOT, ROOT / "protos") if path.is_dir()]
    before = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join([*ours, before] if before else ours)
