"""Ports to listen on: is this one free, and which one is."""

from __future__ import annotations

import errno
import socket

from cli.terminal import CommandFailed


def check_free(host: str, port: int) -> None:
    """Raise CommandFailed, naming the port and --port, when nobody could listen on host:port."""
    try:
        _bind(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CommandFailed(
                f"Port {port} is taken by another program: stop it, or choose another with --port."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise CommandFailed(
                f"Port {port} needs more rights: choose one above 1023 with --port."
            ) from error
        raise CommandFailed(
            f"This machine cannot listen on {host}: choose another address with --host."
        ) from error


def free_port(preferred: int) -> int:
    """`preferred` if it is free on loopback, else one that the system chooses."""
    try:
        return _bind("127.0.0.1", preferred)
    except OSError:
        return _bind("127.0.0.1", 0)


def _bind(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the servers do: a connection that lately ended is no reason to refuse.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        probe.listen(1)
        return int(probe.getsockname()[1])
