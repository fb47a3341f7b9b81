"""Boxes on pages: where on a page a picture is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Box:
    """A part of a page: its left upper corner and its size, in pixels of the page shown upright."""

    x: int
    y: int
    width: int
    height: int

    def lies_within(self, width: int, height: int) -> bool:
        """Returns whether all of it is on a page of this size."""
        within = self.x + self.width <= width and self.y + self.height <= height
        return within and min(self.x, self.y) >= 0 and min(self.width, self.height) > 0

    def __str__(self) -> str:
        """Returns it as IIIF writes a region.

        >>> str(Box(10, 20, 300, 400))
        '10,20,300,400'
        """
        return f"{self.x},{self.y},{self.width},{self.height}"


@dataclass(frozen=True, order=True)
class Cut:
    """A region of a file that is a picture of its own.

    `number` is which region of the file it is, from 0; `sha256` is that of the file in which it was
    found.
    """

    frame: int
    box: Box
    number: int
    sha256: str


def box_of(x: int | None, y: int | None, width: int, height: int) -> Box | None:
    """Returns the box of a stored image; None if it is a whole page."""
    return None if x is None or y is None else Box(x, y, width, height)
