"""The page of settings says what the code says."""

from __future__ import annotations

from tests.contract.configuration_page import PAGE, render


def test_configuration_page_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"


def test_every_setting_is_described() -> None:
    assert "| None |" not in render()
