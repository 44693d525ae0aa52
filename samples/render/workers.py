"""Runs rendering jobs in processes of their own.

Blender keeps global state and takes the place of `__main__` when it is imported, so nothing that a worker
needs may live there.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")


def run_jobs(what: str, draw: Callable[[Job], bool], jobs: Sequence[Job], workers: int) -> None:
    """Draws every job; `draw` says whether there was anything to do.

    Progress and failures go to stderr; a job that fails never ends the run.
    """
    # Spawned, because Blender does not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=silence) as pool:
        futures = [(job, pool.submit(guarded, draw, job)) for job in jobs]
        for count, (job, future) in enumerate(futures, 1):
            result = future.result()
            if result:
                name = getattr(job, "product_id", None) or getattr(job, "scene_id", job)
                sys.stderr.write(f"{what} {count}/{len(jobs)} {name}: {result}\n")
                sys.stderr.flush()


def guarded(draw: Callable[[Job], bool], job: Job) -> str:
    """What to report of one job: nothing if there was nothing to do."""
    try:
        return "done" if draw(job) else ""
    except Exception as err:
        return f"failed: {type(err).__name__}: {err}"


def silence() -> None:
    """Blender writes to the process's streams at every picture."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
