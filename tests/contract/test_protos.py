"""The protos: clean under buf, backwards compatible, and their generated code is fresh."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor

from insitu.embedder.v1 import embedder_pb2
from insitu.geometry.v1 import geometry_pb2
from insitu.search.v1 import catalog_pb2, catalog_types_pb2, search_pb2
from tests.conftest import REPOSITORY

PROTOS = REPOSITORY / "protos"
# The interface that clients have: never changed but by `make protos-baseline`, at a release.
BASELINE = PROTOS / "baseline.binpb"


def buf(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("buf")
    return subprocess.run(
        [program, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )


def test_protos_are_clean_under_bufs_standard_and_comment_rules() -> None:
    result = buf("lint")
    assert result.returncode == 0, result.stdout + result.stderr


def test_protos_break_no_client_of_the_baseline() -> None:
    result = buf("breaking", "--against", str(BASELINE))
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_removed_field_would_be_found(tmp_path: Path) -> None:
    """The check above can fail."""
    copy = tmp_path / "protos"
    shutil.copytree(PROTOS, copy)
    shutil.copy(REPOSITORY / "buf.yaml", tmp_path)
    file = copy / "insitu" / "geometry" / "v1" / "geometry.proto"
    file.write_text(file.read_text().replace("float y_max = 4;", "float y_bottom = 4;"))
    result = buf("breaking", str(tmp_path), "--against", str(BASELINE))
    assert result.returncode != 0
    assert "y_max" in result.stdout


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    binaries = Path(sys.executable).parent
    command = [
        sys.executable,
        "-m",
        "grpc_tools.protoc",
        f"-I{PROTOS}",
        f"--python_out={tmp_path}",
        f"--grpc_python_out={tmp_path}",
        f"--plugin=protoc-gen-mypy={binaries / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={binaries / 'protoc-gen-mypy_grpc'}",
        f"--mypy_out=quiet:{tmp_path}",
        f"--mypy_grpc_out=quiet:{tmp_path}",
        *(str(file) for file in sorted(PROTOS.rglob("*.proto"))),
    ]
    subprocess.run(command, check=True, timeout=60)
    fresh = {file.relative_to(tmp_path): file.read_text() for file in tmp_path.rglob("*_pb2*")}
    files = [file for file in PROTOS.rglob("*_pb2*") if file.suffix in {".py", ".pyi"}]
    kept = {file.relative_to(PROTOS): file.read_text() for file in files}
    assert sorted(fresh) == sorted(kept)
    stale = [str(name) for name, text in fresh.items() if kept[name] != text]
    assert not stale, f"run `make protos`: {stale}"


MODULES = (geometry_pb2, embedder_pb2, search_pb2, catalog_pb2, catalog_types_pb2)
METHODS = [
    method
    for module in MODULES
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def test_request_and_response_messages_are_unique_to_their_method() -> None:
    names = [kind.full_name for method in METHODS for kind in (method.input_type, method.output_type)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "method", [m for m in METHODS if m.name.startswith(("List", "Search"))], ids=lambda m: m.name
)
def test_methods_that_return_many_are_paged(method: descriptor.MethodDescriptor) -> None:
    assert {"page_size", "page_token"} <= set(method.input_type.fields_by_name)
    assert "next_page_token" in method.output_type.fields_by_name
