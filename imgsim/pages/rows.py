"""What a file of regions says of one region, whatever its format."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A region as a file gives it.

    Attributes:
        where: its place in the file, in words.
        page: the page's file as it is named there: a path, a name, or one without its ending.
        x, y, width, height: in pixels of the page, or in percent of it.
        page_size: width and height that the file says the page has.
        percent: whether the numbers are percent.
    """

    where: str
    page: str
    x: float
    y: float
    width: float
    height: float
    frame: int = 1
    score: float | None = None
    kind: str | None = None
    state: str | None = None
    page_size: tuple[float, float] | None = None
    percent: bool = False


@dataclass(frozen=True)
class Unusable:
    """A row that cannot be used: its place in the file, and why."""

    where: str
    reason: str


def number(value: object, what: str) -> float:
    """Returns a finite number.

    Raises:
        ValueError: it is none; the message says so.
    """
    try:
        found = float(str(value).strip())
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        shown = "missing" if value is None else repr(value)
        raise ValueError(f"{what} is not a number: {shown}")
    return found


def whole(value: object, what: str) -> int:
    """Returns a whole number.

    Raises:
        ValueError: it is none; the message says so.
    """
    found = number(value, what)
    if found != int(found):
        raise ValueError(f"{what} is not a whole number: {value!r}")
    return int(found)
