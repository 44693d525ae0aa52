"""Settings come from the environment, and what is wrong there is said at once and without values."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from services.runtime.config import ClientConfig, ServerConfig, is_loopback, read_config


def test_default_listens_on_loopback_without_tokens() -> None:
    config = ServerConfig()
    assert is_loopback(config.host)
    assert config.accepted_tokens() == frozenset()
    assert config.metrics_port == 0


def test_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSITU_PORT", "1234")
    monkeypatch.setenv("INSITU_TOKENS", "a, b,,")
    config = read_config(ServerConfig)
    assert config.port == 1234
    assert config.accepted_tokens() == {"a", "b"}


def test_every_wrong_variable_is_named_at_once_and_no_value_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSITU_PORT", "hunter2")
    monkeypatch.setenv("INSITU_DRAIN_S", "-1")
    with pytest.raises(SystemExit) as stopped:
        read_config(ServerConfig)
    assert stopped.value.code == 2
    printed = capsys.readouterr().err
    assert "INSITU_PORT" in printed
    assert "INSITU_DRAIN_S" in printed
    assert "hunter2" not in printed


def test_certificate_without_key_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INSITU_TLS_CERT", "/tls/cert.pem")
    with pytest.raises(SystemExit):
        read_config(ServerConfig)
    assert "INSITU_TLS_KEY" in capsys.readouterr().err


def test_tokens_file_holds_one_token_a_line(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("first\n\n second \n")
    assert ServerConfig(tokens_file=file).accepted_tokens() == {"first", "second"}


@pytest.mark.parametrize("content", [None, "", "\n \n"])
def test_tokens_file_that_names_no_token_stops_the_start(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit, match="TOKENS"):
        ServerConfig(tokens_file=file).accepted_tokens()


def test_tokens_are_never_printed() -> None:
    assert "hunter2" not in repr(ServerConfig(tokens=SecretStr("hunter2")))
    assert "hunter2" not in repr(ClientConfig("localhost:1", token="hunter2"))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("10.1.2.3", False),
        ("search", False),
    ],
)
def test_loopback_is_told_from_the_network(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
