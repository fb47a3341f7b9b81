"""How numbers are shown to readers."""

from __future__ import annotations

DECIMALS = 7
"""With so many decimals similarities are stored, compared with a threshold, and written to files.

Equal ones are equal then, and rank by id; and what a file says can be asked for. `imgsim.cosine`
states it again in SQL.
"""

ALL_BUT_EQUAL = 0.9999999


def counted(number: int, one: str, many: str = "") -> str:
    """Returns a number with its noun, in the singular or the plural.

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "copy", "copies")
    ('1 image', '1,200 images', '2 copies')
    """
    return f"{number:,} {noun(number, one, many)}"


def noun(number: int, one: str, many: str = "") -> str:
    """Returns what something is called where there are so many of it.

    >>> noun(1, "row"), noun(2, "row"), noun(0, "copy", "copies")
    ('row', 'rows', 'copies')
    """
    return one if number == 1 else many or one + "s"


def figure(number: float) -> float:
    """Returns a number as files and programs get it: in each format the same.

    >>> figure(2 / 3), figure(0.94), figure(float("inf"))
    (0.6666667, 0.94, inf)
    """
    return round(number, DECIMALS)


def score_text(similarity: float, decimals: int = 4) -> str:
    """Returns a similarity for reading: rounded, but not to 1 if it is less than 1.

    >>> score_text(0.98765), score_text(0.99998), score_text(1.0)
    ('0.9877', '0.9999+', '1.0000')
    """
    shown = f"{similarity:.{decimals}f}"
    if shown == f"{1:.{decimals}f}" and similarity < ALL_BUT_EQUAL:
        return "0." + "9" * decimals + "+"
    return shown
