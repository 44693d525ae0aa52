"""The example clients of the README, as a newcomer runs them, against the real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.live_stack import LiveStack, running_stack

# Lines that both examples print for the first box of the shapes: what is in it, and where else it is.
BOX = "23,130,191,306"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    with running_stack(tmp_path_factory.mktemp("stack")) as found:
        yield found


@pytest.fixture(scope="module")
def node_example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of examples/node with its locked packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node") / "example"
    shutil.copytree(REPOSITORY / "examples/node", folder, ignore=shutil.ignore_patterns("node_modules"))
    installed = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if any(code in installed.stderr for code in ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN")):
        pytest.skip("npm reaches no registry")
    assert installed.returncode == 0, installed.stderr
    return folder


def run(stack: LiveStack, command: list[str], cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, str(stack.catalog / "scenes/S-000.png"), *arguments],
        cwd=cwd,
        env={
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "protos"),
            "INSITU_PROTOS": str(REPOSITORY / "protos"),
            "INSITU_SEARCH_ADDRESS": stack.search_address,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check_both_queries(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("product P-000  0.9")
    scenes = [line.split()[1] for line in lines if line.startswith("scene ")]
    assert {"S-000", "S-004"} <= set(scenes[:3])  # the two rooms that show P-000


def test_node_client_runs_both_queries(stack: LiveStack, node_example: Path) -> None:
    check_both_queries(run(stack, ["node", "search.js"], node_example, BOX))


def test_node_client_takes_a_product_id_and_says_what_is_wrong(stack: LiveStack, node_example: Path) -> None:
    result = run(stack, ["node", "search.js"], node_example, BOX, "P-011")
    assert result.returncode == 0, result.stderr
    assert "scene S-003" in result.stdout
    wrong = run(stack, ["node", "search.js"], node_example, BOX, "no-such-product")
    assert wrong.returncode == 1
    assert wrong.stderr == "No product of the catalogue has this id.\n"


def test_node_lock_file_names_no_registry() -> None:
    lock = (REPOSITORY / "examples/node/package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock


def test_python_example_runs_both_queries(stack: LiveStack) -> None:
    check_both_queries(run(stack, [sys.executable, "search_rooms.py"], REPOSITORY / "examples/python", BOX))
