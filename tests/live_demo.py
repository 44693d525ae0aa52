"""`insitu demo` as a process, for tests that use it as a person does."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.ports import free_port
from tests.conftest import REPOSITORY

READY = "InSitu is ready: "
START_S = 120.0


class Demo:
    """A running `insitu demo` and what it has said so far."""

    def __init__(self, folder: Path, options: Sequence[str], *, port: int, data: Path) -> None:
        command = [sys.executable, "-m", "cli", "demo", "--port", str(port), "--data", str(data)]
        self.process = subprocess.Popen(
            [*command, *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.port = port
        self.data = data
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, text: str, timeout_s: float = START_S) -> None:
        deadline = time.monotonic() + timeout_s
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def wait(self, timeout_s: float = 30.0) -> int:
        code = self.process.wait(timeout_s)
        self._reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def child_pids(self) -> list[int]:
        """Every process that works on our data or page, told by its environment."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and int(entry.name) != self.process.pid:
                    environment = (entry / "environ").read_bytes().decode(errors="replace")
                    if f"INSITU_DEMO_DATA={self.data}\0" in environment:
                        found.append(int(entry.name))
        return found

    def search_address(self) -> str:
        taken = re.search(r"search service is at (\S+:\d+)", self.output)
        return taken.group(1) if taken else "127.0.0.1:50052"


@contextlib.contextmanager
def running_demo(
    folder: Path, options: Sequence[str] = (), *, port: int | None = None, data: Path | None = None
) -> Iterator[Demo]:
    """A demo started in `folder`; killed at the end if it still runs."""
    demo = Demo(folder, options, port=port or free_port(0), data=data or folder / "data")
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.kill()
        demo.wait()


def wait_until_gone(demo: Demo, timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while left := demo.child_pids():
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.1)
