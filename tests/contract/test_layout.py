"""The rooms of the house: which package may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

HEAVY = {"torch", "torchvision", "qdrant_client", "qdrant_edge", "gradio", "fsspec", "openvino", "bpy"}
OURS = {"cli", "insitu", "samples", "services", "training", "ui"}

# package: what it may import of HEAVY, and of OURS. The longest name that fits a module counts.
MAY_IMPORT: dict[str, set[str]] = {
    "services.runtime": set(),
    "services.imaging": set(),
    "services.catalog": {"services.imaging"},
    "services.embedder": {
        "torch",
        "torchvision",
        "openvino",
        "insitu",
        "services.runtime",
        "services.imaging",
    },
    "services.search": {
        "qdrant_client",
        "qdrant_edge",
        "fsspec",
        "insitu",
        "services.runtime",
        "services.imaging",
    },
    "services.search.client": {
        "insitu",
        "services.runtime",
        "services.imaging",
        "services.search.entities",
        "services.search.wire",
    },
    "ui": {"gradio", "insitu", "services.runtime", "services.imaging", "services.search.client"},
    "training": {"torch", "torchvision", "services.embedder", "services.catalog", "services.imaging"},
    "samples": {"bpy"},
    "cli": {
        "insitu",
        "services.catalog",
        "services.embedder.model_file",
        "services.imaging",
        "services.runtime",
        "services.search.client",
        "training",
    },
}


def python_files() -> Iterator[Path]:
    for package in ("services", "ui", "cli", "training", "samples"):
        yield from sorted((REPOSITORY / package).rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(REPOSITORY).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(file: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: path is import, so no relative imports"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def package_of(module: str) -> str | None:
    fitting = [name for name in MAY_IMPORT if module == name or module.startswith(name + ".")]
    return max(fitting, key=len, default=None)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def forbidden(file: Path) -> list[str]:
    module = module_name(file)
    package = package_of(module)
    if package is None:  # `services` itself
        return []
    allowed = MAY_IMPORT[package] | {package}
    bad = []
    for name in imported(file):
        root = name.split(".")[0]
        if root not in HEAVY | OURS:
            continue
        if not any(is_within(name, good) for good in allowed):
            bad.append(name)
    return sorted(bad)


@pytest.mark.parametrize("file", list(python_files()), ids=lambda file: str(file.relative_to(REPOSITORY)))
def test_module_imports_only_what_its_package_may(file: Path) -> None:
    assert not forbidden(file)


def test_a_forbidden_import_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check above can fail."""
    file = tmp_path / "services" / "search" / "servicer.py"
    file.parent.mkdir(parents=True)
    file.write_text("import torch\nfrom services.embedder import engine\n")
    monkeypatch.setattr("tests.contract.test_layout.REPOSITORY", tmp_path)
    assert forbidden(file) == ["services.embedder.engine", "torch"]


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("services.search.client", {"torch", "qdrant_client", "qdrant_edge", "gradio"}),
        ("services.search.process", {"torch", "gradio"}),
        ("services.embedder.servicer", {"qdrant_client", "qdrant_edge", "gradio"}),
        ("cli.app", {"torch", "qdrant_client", "gradio", "qdrant_edge"}),
    ],
)
def test_importing_a_process_loads_no_other_processes_libraries(module: str, never: set[str]) -> None:
    script = f"import sys, {module}; print(sorted({never!r} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_no_module_is_a_drawer() -> None:
    drawers = {"utils", "util", "common", "helpers", "misc"}
    assert not [file for file in python_files() if file.stem in drawers or file.parent.name in drawers]


def test_tracked_files_are_small_and_name_no_private_path() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [REPOSITORY / name for name in listed.stdout.split("\0") if name]
    files = [file for file in files if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 150e6
    assert not [file for file in files if file.stat().st_size > 25e6]
    home = str(REPOSITORY.parent) + "/"
    if len(home) > 5:
        named = [f for f in files if f.stat().st_size < 2e6 and home.encode() in f.read_bytes()]
        assert not named, f"these name a path of one machine: {named}"
