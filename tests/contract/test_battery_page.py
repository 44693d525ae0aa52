"""docs/battery.md covers every number, and every test that it names exists."""

from __future__ import annotations

import re

import pytest

from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "battery.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[^`:\s]+)::(\w+)`", PAGE)))


def test_every_number_has_its_row() -> None:
    covered = [
        number
        for first, last in re.findall(r"^\| (\d+)(?:-(\d+))? \|.*`tests/", PAGE, re.MULTILINE)
        for number in range(int(first), int(last or first) + 1)
    ]
    assert covered == list(range(1, 73))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_named_test_exists(file: str, name: str) -> None:
    source = (REPOSITORY / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)
