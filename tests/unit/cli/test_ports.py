"""Which port to listen on."""

from __future__ import annotations

import socket

import pytest

from cli.ports import check_free, free_port
from cli.terminal import CommandFailed


def test_taken_port_is_named_with_the_option_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CommandFailed, match=rf"Port {port} is taken .* --port"):
            check_free("127.0.0.1", port)
        assert free_port(port) != port
    check_free("127.0.0.1", port)
    assert free_port(port) == port


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CommandFailed, match="--host"):
        check_free("192.0.2.1", 7860)
