"""How long work tells how far it is."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told of what (a model's name), how much is done, and of how much."""


def silent(what: str, done: int, of: int) -> None:
    """No progress is shown."""
