"""A bound on what all decoders of this process hold together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

BUDGET = 1 << 30
"""Bytes: what is larger by itself is decoded alone."""

BYTES_A_PIXEL = {"1": 3, "L": 3, "P": 8, "LA": 12, "La": 12, "I;16": 8, "I;16B": 8, "RGB": 8}
MOST_BYTES_A_PIXEL = 20
"""What Pillow and the steps to 8 bits hold of a pixel at one time: RGB takes four bytes there."""


class Budget:
    """Bytes that threads take before they decode and give back after; they wait in order."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._freed = threading.Condition()
        self._next = threading.Lock()

    @property
    def held(self) -> int:
        """How many bytes are held now."""
        return self._held

    @contextmanager
    def holding(self, size: int) -> Iterator[None]:
        """Holds so many bytes, once they are free; more than there are, once all are."""
        wanted = min(size, self._size)
        # Whoever waits for much is not overtaken by those that want little.
        with self._next, self._freed:
            self._freed.wait_for(lambda: self._held + wanted <= self._size)
            self._held += wanted
        try:
            yield
        finally:
            with self._freed:
                self._held -= wanted
                self._freed.notify_all()


decoders = Budget(BUDGET)


def decoded_size(width: int, height: int, mode: str) -> int:
    """Returns about how many bytes a picture takes while it is decoded."""
    return width * height * BYTES_A_PIXEL.get(mode, MOST_BYTES_A_PIXEL)
