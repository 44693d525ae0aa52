"""Writes docs/configuration.md from the settings classes: ``python -m tests.contract.configuration_page``."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import PydanticUndefined

from services.embedder.config import EmbedderConfig
from services.runtime.config import ProcessConfig, ServerConfig
from services.search.config import SearchConfig
from tests.conftest import REPOSITORY
from ui.config import UiConfig

PAGE = REPOSITORY / "docs" / "configuration.md"

_HEAD = """# Configuration

Every process reads its settings from `INSITU_*` environment variables, all at its start; what is wrong
there is reported at once and stops the start. Made by `make docs` from the settings' definitions.
"""
_SECTIONS: tuple[tuple[str, type[ProcessConfig], type[ProcessConfig] | None], ...] = (
    ("Every process", ProcessConfig, None),
    ("Both gRPC servers", ServerConfig, ProcessConfig),
    ("Embedder (`python -m services.embedder`)", EmbedderConfig, ServerConfig),
    ("Search (`python -m services.search`)", SearchConfig, ServerConfig),
    ("Page (`python -m ui`)", UiConfig, ProcessConfig),
)


def render() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(*section) for section in _SECTIONS)])


def _section(title: str, kind: type[ProcessConfig], base: type[ProcessConfig] | None) -> str:
    lines = [f"## {title}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in kind.model_fields.items():
        if base is not None and name in base.model_fields and name != "port":
            continue
        lines.append(f"| `INSITU_{name.upper()}` | {_default(field.default)} | {field.description} |")
    return "\n".join([*lines, ""])


def _default(value: object) -> str:
    if value is None or value is PydanticUndefined or not str(value):
        return "not set"
    if isinstance(value, Path) and value.is_absolute():
        value = value.relative_to(REPOSITORY)
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
