"""Runs a module as `python -m` does, and ends it when the supervisor that holds its standard input is gone.

A killed supervisor can tell nobody, but the kernel closes its end of the pipe. This works on every system, in
the process itself: no preexec function, no further process.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_S = 10.0
"""Time for a drain before the process is ended for good."""


def main() -> None:
    """`python -m cli.leash MODULE ARGUMENT...`."""
    module, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with_stdin, name="leash", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_stdin() -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    main()
