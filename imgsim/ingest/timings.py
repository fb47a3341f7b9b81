"""How long each stage of an ingest was at work, and which of them the others waited for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")

ORDER = ("find", "recognise", "plan", "hash", "load", "decode", "embed", "write", "index")
"""The first words of the stages' names, as a picture passes them."""


@dataclass
class Stage:
    """Seconds at work, added up over threads; what was done in them; how long it was awaited.

    Only one thread waits, the one that hands work from stage to stage: `awaited` adds up to no
    more than the whole time.
    """

    busy: float = 0.0
    items: int = 0
    awaited: float = 0.0


class Timings:
    """The stages of one run, by name."""

    def __init__(self) -> None:
        self.stages: dict[str, Stage] = {}
        self._lock = threading.Lock()
        self._began = time.perf_counter()
        self.seconds = 0.0

    def add(self, name: str, busy: float = 0.0, items: int = 0, awaited: float = 0.0) -> None:
        """Add to a stage."""
        with self._lock:
            stage = self.stages.setdefault(name, Stage())
            stage.busy += busy
            stage.items += items
            stage.awaited += awaited

    @contextmanager
    def at_work(self, name: str, items: int = 1) -> Iterator[None]:
        """A stage works on so many items meanwhile."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began, items)

    @contextmanager
    def awaiting(self, name: str) -> Iterator[None]:
        """The others wait for a stage meanwhile."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, awaited=time.perf_counter() - began)

    def each(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items, and the time until each of them added to a stage."""
        while True:
            began = time.perf_counter()
            item = next(items, None)
            self.add(name, time.perf_counter() - began, item is not None)
            if item is None:
                return
            yield item

    def awaited(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """The items, and the time until each of them added to the waiting for a stage."""
        missing = object()
        while True:
            with self.awaiting(name):
                item = next(items, missing)
            if item is missing:
                return
            yield item  # type: ignore[misc]

    def end(self) -> None:
        """The run is over."""
        self.seconds = time.perf_counter() - self._began

    def in_order(self) -> list[tuple[str, Stage]]:
        """The stages in the order in which a picture passes them."""
        return sorted(self.stages.items(), key=lambda item: ORDER.index(item[0].split()[0]))

    def record(self) -> dict[str, dict[str, float]]:
        """For the record of the run: seconds and items of each stage, and of the whole."""
        whole = {"whole": {"seconds": round(self.seconds, 3)}}
        stages = {
            name: {
                "busy": round(stage.busy, 3),
                "items": stage.items,
                "awaited": round(stage.awaited, 3),
            }
            for name, stage in self.in_order()
        }
        return {**whole, **stages}
