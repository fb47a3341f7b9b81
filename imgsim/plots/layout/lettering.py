"""Measures texts in print, and breaks or shortens them to fit."""

from __future__ import annotations

import functools
import unicodedata
import warnings
from collections.abc import Callable

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from imgsim.plots.layout.style import MM_PER_INCH, SMALL

POINTS_PER_INCH = 72
ELLIPSIS = "…"

NAME_MM = 27.0
"""Room for a name such as 096240010000330_0."""


@functools.lru_cache(maxsize=4096)
def width(text: str, size: float = SMALL, *, bold: bool = False) -> float:
    """Returns the printed width of a line in the bundled font, in millimetres."""
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks
        points = TextToPath().get_text_width_height_descent(text, font, ismath=False)[0]
    return float(points) / POINTS_PER_INCH * MM_PER_INCH


def clean(text: str) -> str:
    """Returns a text on one line, composed (NFC), without characters that cannot be printed."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


def wrapped(
    text: str, room: float, lines: int, size: float = SMALL, *, bold: bool = False
) -> list[str]:
    """Returns a text in at most `lines` lines of `room` millimetres, with an ellipsis if cut.

    Lines break between words; a word that is longer than a line is broken where the line ends.
    """
    fits = functools.partial(_fits, room=room, size=size, bold=bold)
    rest = clean(text)
    done: list[str] = []
    while rest and len(done) < lines:
        if fits(rest):
            done.append(rest)
            return done
        cut = _longest(rest, fits)
        if len(done) == lines - 1:
            cut = _longest(rest, lambda part: fits(part.rstrip(" ,;:.") + ELLIPSIS))
            # Not at a space that is far back: the last line would be half empty.
            space = rest.rfind(" ", 0, cut + 1)
            done.append(rest[: space if space > cut / 2 else cut].rstrip(" ,;:.") + ELLIPSIS)
            return done
        space = rest.rfind(" ", 0, cut + 1)
        cut = space if space > 0 else cut
        done.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return done


def shortened(text: str, room: float, size: float = SMALL, *, bold: bool = False) -> str:
    """Returns a text on one line of `room` millimetres; too long a name loses its middle."""
    text = clean(text)
    if _fits(text, room=room, size=size, bold=bold):
        return text
    # The ends of a name tell most: the book and the page before, the illustration behind.
    for kept in range(len(text) - 1, 1, -1):
        short = text[: (kept + 1) // 2] + ELLIPSIS + text[len(text) - kept // 2 :]
        if _fits(short, room=room, size=size, bold=bold):
            return short
    return ELLIPSIS


def _fits(text: str, *, room: float, size: float, bold: bool) -> bool:
    return width(text, size, bold=bold) <= room


def _longest(text: str, fits: Callable[[str], bool]) -> int:
    """Returns how many characters from the start fit, at least one."""
    low, high = 1, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if fits(text[:middle]):
            low = middle
        else:
            high = middle - 1
    return low
