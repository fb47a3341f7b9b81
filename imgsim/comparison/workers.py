"""Blocks of a matrix product on all cores: a thread for each, and one core for each product."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from threadpoolctl import threadpool_limits

from imgsim.cores import usable

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 2


def in_parallel(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    """The results of the tasks, in their order; a few are worked on ahead of who takes them.

    A product spread over all cores would leave them idle while one thread looks through it: so
    the library of matrix products works on one, and the threads on different blocks.
    """
    count = usable()
    waiting: deque[Future[Result]] = deque()
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(count, "compare") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(work, task))
                if len(waiting) == AHEAD * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
