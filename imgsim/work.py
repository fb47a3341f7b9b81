"""Work on all cores: how many there are, tasks spread over them, and how progress is reported."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")

Progress = Callable[[str, int, int], None]
"""Told of what (a model's name), how much is done, and of how much."""

AHEAD = 2


def silent(what: str, done: int, of: int) -> None:
    """Shows no progress."""


def usable() -> int:
    """Returns how many cores this process may use; a container or a batch system may limit it."""
    # macOS cannot bind a process to cores, and has no such function.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_parallel(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """Yields the results of tasks in their order, with a few worked on ahead of the consumer.

    A matrix product spread over all cores would leave them idle while one thread looks through the
    result. So the matrix library uses one core, and threads work on different blocks.
    """
    count = usable()
    waiting: deque[Future[Result]] = deque()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(count, "compare") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                # Results wait in memory until they are taken: no more than some for each core.
                if len(waiting) == AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            # Whoever takes the results may stop early, or have failed.
            for future in waiting:
                future.cancel()
