"""What a person sees of the command line: help, versions, mistakes."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest

from cli.app import _expected
from cli.connection import open_client
from cli.terminal import CommandFailed
from services.runtime.errors import new_error
from tests.conftest import REPOSITORY


def insitu(*arguments: str, cwd: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    path = f"{REPOSITORY}:{REPOSITORY / 'protos'}"
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_names_every_command_and_is_quick() -> None:
    times_s = []
    for _ in range(3):  # the best of three: others use this machine too
        started = time.perf_counter()
        result = insitu("--help")
        times_s.append(time.perf_counter() - started)
    assert result.returncode == 0
    for command in ("demo", "index", "search", "show", "facts", "serve", "model", "evaluate"):
        assert f" {command} " in result.stdout
    assert min(times_s) < 1.0


def test_version_is_the_package_version() -> None:
    assert insitu("--version").stdout.startswith("insitu 0.")


def test_mistyped_command_suggests_the_nearest() -> None:
    result = insitu("serch")
    assert result.returncode == 2
    assert "search" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["index", "no-such-folder"], "no-such-folder is not a folder."),
        (["search", "products"], "Give one of PHOTO"),
        (["search", "products", "--product", "A", "--region", "B"], "Give one of PHOTO"),
        (["search", "products", "--product", "A", "--box", "1,2,3,4"], "--box needs a PHOTO"),
        (["search", "scenes", "no-such.jpg"], "no-such.jpg"),
        (["search", "products", "pyproject.toml"], "not an image"),
        (["facts", "--address", "127.0.0.1:1"], "cannot be reached"),
        (["model", "show", "no-such.safetensors"], "no-such.safetensors"),
        (["demo", "--catalog", "no-such-folder"], "no-such-folder is not a folder."),
    ],
)
def test_mistake_is_one_sentence_and_exit_code_2(arguments: list[str], says: str) -> None:
    result = insitu(*arguments)
    assert result.returncode == 2
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (grpc.StatusCode.UNAVAILABLE, "start it with `insitu demo`"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "did not answer in time"),
        (grpc.StatusCode.UNIMPLEMENTED, "not the search service"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "try again later"),
        (grpc.StatusCode.DATA_LOSS, "failed with DATA_LOSS"),
    ],
)
def test_transport_errors_are_said_in_our_own_words(code: grpc.StatusCode, says: str) -> None:
    sentence = _expected(new_error(code, "TRANSPORT", "Stream removed (raw words)"))
    assert sentence is not None
    assert says in sentence
    assert "raw words" not in sentence
    assert _expected(new_error(code, "INDEX_TIMEOUT", "The service's words.")) == "The service's words."


@pytest.mark.parametrize("variable", ["TLS_CA", "TLS_CERT", "TLS_KEY"])
def test_certificate_that_is_no_file_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"INSITU_SEARCH_{variable}", "/no/such.pem")
    with pytest.raises(CommandFailed, match=f"INSITU_SEARCH_{variable} names no file"):
        open_client("127.0.0.1:1")
