"""What made a result: written beside it, so that it can be made again."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

_PACKAGES = ("insitu", "torch", "torchvision", "openvino", "numpy", "pillow", "safetensors")


def write_record(path: Path, *, config: Mapping[str, object], metrics: Mapping[str, object]) -> None:
    """Write configuration, versions and metrics of a run as JSON."""
    record = {"config": config, "versions": versions(), "metrics": metrics}
    path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def versions() -> dict[str, str]:
    """Versions of Python, the machine's kind and the packages that numbers depend on."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
