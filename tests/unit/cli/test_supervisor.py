"""Children of the supervisor: started, watched, stopped, never left behind. Real processes throughout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.supervisor import Supervisor, last_words
from cli.terminal import CommandFailed
from tests.conftest import REPOSITORY

SLEEPER = """
import signal, sys, time
from pathlib import Path
if "stubborn" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
Path(sys.argv[1]).write_text("up")
time.sleep(60)
"""


@pytest.fixture
def modules(tmp_path: Path) -> dict[str, str]:
    """An environment in which `sleeper` and `broken` are modules."""
    (tmp_path / "sleeper.py").write_text(SLEEPER)
    (tmp_path / "broken.py").write_text("raise SystemExit('The shelf is empty.')")
    return {"PYTHONPATH": f"{REPOSITORY}:{tmp_path}"}


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = Supervisor(tmp_path / "logs", drain_s=2.0)
    yield found
    found.stop()


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A dead process that init has not yet collected is not running.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_stop_ends_all_children(supervisor: Supervisor, modules: dict[str, str], tmp_path: Path) -> None:
    children = [supervisor.start(name, "sleeper", [str(tmp_path / name)], modules) for name in "ab"]
    supervisor.wait_until(lambda: all((tmp_path / name).exists() for name in "ab"), "Both", 10)
    supervisor.check()
    started = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - started < 2.0
    assert [child.process.returncode for child in children] == [-signal.SIGTERM] * 2


def test_child_that_ignores_sigterm_is_killed_in_time(
    supervisor: Supervisor, modules: dict[str, str], tmp_path: Path
) -> None:
    child = supervisor.start("stubborn", "sleeper", [str(tmp_path / "up"), "stubborn"], modules)
    wait_for((tmp_path / "up").exists)
    started = time.monotonic()
    supervisor.stop()
    assert 1.5 < time.monotonic() - started < 5.0
    assert child.process.returncode == -signal.SIGKILL


def test_dead_child_is_a_sentence_with_its_last_words_and_log(
    supervisor: Supervisor, modules: dict[str, str]
) -> None:
    child = supervisor.start("search", "broken", [], modules)
    with pytest.raises(
        CommandFailed, match=r"The search process ended with code 1: The shelf is empty\."
    ) as caught:
        supervisor.wait_until(lambda: False, "The search service", 10)
    assert str(child.log) in str(caught.value)


def test_killed_child_names_the_signal(
    supervisor: Supervisor, modules: dict[str, str], tmp_path: Path
) -> None:
    child = supervisor.start("ui", "sleeper", [str(tmp_path / "up")], modules)
    wait_for((tmp_path / "up").exists)
    child.process.kill()
    child.process.wait()
    with pytest.raises(CommandFailed, match="ended by SIGKILL: it said nothing"):
        supervisor.check()


def test_waiting_is_bounded(supervisor: Supervisor) -> None:
    with pytest.raises(CommandFailed, match=r"The page did not get ready in 0 s"):
        supervisor.wait_until(lambda: False, "The page", 0.2)


def test_run_returns_when_done_and_raises_when_it_failed(
    supervisor: Supervisor, modules: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "fine.py").write_text("print('done')")
    supervisor.run("model", "fine", [], modules)
    with pytest.raises(CommandFailed, match=r"model failed: The shelf is empty\."):
        supervisor.run("model", "broken", [], modules)
    supervisor.check()


def test_children_end_when_the_supervisor_is_killed(modules: dict[str, str], tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from cli.supervisor import Supervisor\n"
        f"child = Supervisor(Path({str(tmp_path / 'logs')!r})).start("
        f"'ui', 'sleeper', [{str(tmp_path / 'up')!r}], {modules!r})\n"
        "print(child.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, **modules},
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    wait_for((tmp_path / "up").exists)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not is_running(pid))


def test_last_words_prefer_the_last_error_of_a_json_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text('{"event": "listening", "level": "info"}\n{"event": "index lost", "level": "error"}\n')
    assert last_words(log) == "index lost"
    log.write_text('{"event": "listening", "level": "info"}\nOut of memory.\n')
    assert last_words(log) == "Out of memory."
    log.write_text("")
    assert last_words(log) == "it said nothing"
