"""What the commands print where there is no terminal."""

from __future__ import annotations

import pytest

from cli import terminal
from cli.terminal import printable, progress, say_table


def test_progress_in_a_pipe_is_a_line_now_and_then_and_one_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "PLAIN_EVERY_S", 0.0)
    with progress("Products", 3, "products") as bar:
        bar.advance(2)
        bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Products: 2 of 3, ")
    assert lines[0].endswith(" s left")
    assert lines[-1].startswith("Products: 3 products in ")


def test_control_characters_of_a_catalogue_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert printable("red\x1b[2J\nchair\u202e") == "red [2J chair "
    say_table(["title"], [["a\tb\x1b"]])
    assert capsys.readouterr().out == "title\na b \n"
