"""Measures how long each stage of an ingest was at work, and how long others waited for it."""

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
        """Adds to a stage."""
        with self._lock:
            stage = self.stages.setdefault(name, Stage())
            stage.busy += busy
            stage.items += items
            stage.awaited += awaited

    @contextmanager
    def at_work(self, name: str, items: int = 1) -> Iterator[None]:
        """Adds the time until it is left to a stage that works on so many items."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - began, items)

    @contextmanager
    def awaiting(self, name: str) -> Iterator[None]:
        """Adds the time until it is left to the waiting for a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, awaited=time.perf_counter() - began)

    def each(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yields the items, and adds the time until each of them to a stage."""
        while True:
            began = time.perf_counter()
            item = next(items, None)
            self.add(name, time.perf_counter() - began, item is not None)
            if item is None:
                return
            yield item

    def awaited(self, name: str, items: Iterator[Item]) -> Iterator[Item]:
        """Yields the items, and adds the time until each of them to the waiting for a stage."""
        missing = object()
        while True:
            with self.awaiting(name):
                item = next(items, missing)
            if item is missing:
                return
            yield item  # type: ignore[misc]

    def end(self) -> None:
        """Ends the run's time."""
        self.seconds = time.perf_counter() - self._began

    def in_order(self) -> list[tuple[str, Stage]]:
        """Returns the stages in the order in which a picture passes them."""
        return sorted(self.stages.items(), key=lambda item: ORDER.index(item[0].split()[0]))

    def record(self) -> dict[str, dict[str, float]]:
        """Returns seconds and items of each stage and of the whole, for the record of the run."""
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
