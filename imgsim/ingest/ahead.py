"""Runs a stage in a thread of its own, some way ahead of whoever takes what it yields."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """The items of a generator, which runs in a thread and is closed there.

    What it raises is raised where its items are taken.

    Args:
        room: how many items may wait to be taken.
        waiting: entered while there is no room.
        pauses: after such an item the generator goes on only when `resume` is called.
    """

    def __init__(
        self,
        items: Generator[Item],
        name: str,
        room: int,
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
        pauses: Callable[[Item], bool] = lambda item: False,
    ) -> None:
        self._items = items
        self._room = threading.Semaphore(room)
        self._waiting = waiting
        self._pauses = pauses
        self._resumed = threading.Semaphore(0)
        self._stopped = False
        self._queue: SimpleQueue[tuple[Item] | BaseException | None] = SimpleQueue()
        # A daemon: a second Ctrl-C ends the program, whatever the thread is waiting for.
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while (taken := self._queue.get()) is not None:
            if isinstance(taken, BaseException):
                raise taken
            self._room.release()
            yield taken[0]

    def resume(self) -> None:
        """Lets it go on after an item at which it paused."""
        self._resumed.release()

    def stop(self) -> None:
        """Ends it before its next item; whoever takes items finds no more."""
        self._stopped = True
        self._queue.put(None)
        self._room.release()
        self._resumed.release()

    def join(self) -> None:
        """Waits until it has ended."""
        self._thread.join()

    def _run(self) -> None:
        end: BaseException | None = None
        try:
            with contextlib.closing(self._items):
                self._hand_over()
        except BaseException as exc:  # raised again where it is taken
            end = exc
        self._queue.put(end)

    def _hand_over(self) -> None:
        for item in self._items:
            with self._waiting():
                self._room.acquire()
            if self._stopped:
                return
            self._queue.put((item,))
            if self._pauses(item):
                self._resumed.acquire()
            if self._stopped:
                return
