"""The dry run of `insitu index`: it finds what an import would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.index_command import check_rows
from services.catalog import read_catalog
from tests.battery_images import jpeg


def test_dry_run_reports_damaged_and_unreadable_images_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["product_id,title,category,image"]
    for name, data in {"good": jpeg(), "damaged": jpeg()[:900], "locked": jpeg()}.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
        rows.append(f"{name},{name},chair,{name}.jpg")
    (tmp_path / "products.csv").write_text("\n".join(rows))
    read = Path.read_bytes

    def read_unless_locked(path: Path) -> bytes:
        if path.stem == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_unless_locked)
    refused = check_rows(read_catalog(tmp_path))
    assert [(error.line, error.reason) for error in refused] == [(3, "CORRUPT"), (4, "IMAGE_UNREADABLE")]
    assert str(tmp_path) not in refused[1].message
