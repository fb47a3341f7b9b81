"""The one picture against the other, as it is or mirrored: measured, and weighed as probabilities.

Every number here that decides is fitted or told by `python -m benchmarks evidence_fit` and
`python -m benchmarks evidence`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgsim.reuse.evidence import alignment, cells, ink, matching
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.ink import InkLikeness
from imgsim.reuse.evidence.matching import Registration

if TYPE_CHECKING:
    from imgsim.reuse.evidence.matching import Matrix

LIKELY, UNDECIDED = 0.5, 0.2
MIRRORED_DETAILS = 6

DESIGN_CONSTANT, DESIGN_EXCESS, DESIGN_MASSES = -0.8, 34.0, 2.7
"""Of a logistic regression on copies and on near neighbours that are none: `python -m benchmarks
evidence_fit` fits it anew, as all that follows."""

DESIGN_LOW, DESIGN_LOW_SLOPE = 0.05, 60.0
"""How well the ink must agree, of all but a quarter: line drawings with much paper have like cells
though their ink agrees nowhere; of 78 copies 75 agree better."""

HOPELESS = -0.08
"""Below that excess of their cells, pictures are not aligned but by details: nothing was found
there in thousands of pairs, and most pairs are of that kind."""

LINES_SLOPE = 26.0
SIDES = (75, 118, 165, 235, 290, 320)
LINES_WANTED = (0.6, 0.56, 0.44, 0.345, 0.175, 0.165)
"""How well the finest lines must agree if both scans show so many pixels: the fewer, the coarser
these lines are, and the better they agree of copies too."""

CLEAR, CLEARER = 0.57, 0.66
CLEARER_WANTED, COARSEST_CLEARER = 0.385, 105
"""By how much more in clear scans, where those of impressions agree from 0.7 on, of skilled copies
up to 0.37; down to that side."""

LOW_WANTED, LOW_SLOPE = 0.25, 40.0
COARSE, UNMISTAKABLE = 0.43, 0.85
BLURRED, UNMISTAKABLE_BLURRED = 0.6, 0.95
COARSE_SAME = 0.4
"""Where lines cannot be seen, a skilled copy looks like an impression. To call it the same block
would be the worse error, so the chance is put below a half."""

PART_DOUBTED, PART_SLOPE = 0.68, 40.0
PART_INLIERS_DOUBTED, PART_INLIERS_SLOPE = 14.0, 0.5


@dataclass(frozen=True)
class Way:
    """The one picture, as it is or mirrored, against the other.

    Attributes:
        excess: of their cells.
        likeness: of their ink, where they could be laid upon each other.
        wanted: how well the finest lines must agree, for as good a chance of one block as of none.
        in_lines: the probability that the lines agree, as far as the scans can show it.
        too_coarse: a skilled copy would look like this too.
    """

    one: LocalFeatures
    mirrored: bool
    excess: float
    registration: Registration
    likeness: InkLikeness | None = None
    wanted: float = 1.0
    in_lines: float = 0.0
    too_coarse: bool = False

    @property
    def beyond_wanted(self) -> float:
        """By how much more the finest lines agree than they must; -1 where nothing is laid."""
        return self.likeness.finest - self.wanted if self.likeness else -1.0

    @property
    def masses(self) -> float:
        """How well their masses agree, 0 where they could not be laid upon each other."""
        return max(0.0, self.likeness.masses) if self.likeness else 0.0

    @property
    def of_one_design(self) -> float:
        """The probability that both are of one design; lines that agree are proof of it."""
        told = DESIGN_CONSTANT + DESIGN_EXCESS * self.excess + DESIGN_MASSES * self.masses
        low = self.likeness.low if self.likeness else -1.0
        seen = _logistic(told) * _logistic(DESIGN_LOW_SLOPE * (low - DESIGN_LOW))
        return max(seen, 0.0 if self.too_coarse else self.in_lines)

    @property
    def of_one_block(self) -> float:
        """The probability that both are of one block."""
        return self.of_one_design * self.in_lines


def better_way(one: LocalFeatures, other: LocalFeatures, turned: bool = False) -> Way:
    """The one picture against the other as it is, or mirrored, if that is the better evidence."""
    upright = _way(one, other, turned, mirrored=False)
    if upright.of_one_block >= LIKELY and not upright.too_coarse:
        return upright
    mirrored = _way(one.mirrored(), other, turned, mirrored=True)
    return max((upright, mirrored), key=_worth)


def lines_wanted(clearness: float, side: int) -> float:
    """How well the finest lines must agree, for as good a chance of one block as of none.

    Args:
        clearness: of the two scans, the mean.
        side: how many pixels long both can be shown.
    """
    wanted = float(np.interp(np.log2(side), np.log2(SIDES), LINES_WANTED))
    clear = float(np.interp(clearness, (CLEAR, CLEARER), (0, 1)))
    wanted += (
        CLEARER_WANTED
        * clear
        * float(np.interp(np.log2(side), np.log2((COARSEST_CLEARER, SIDES[-1])), (0, 1)))
    )
    return wanted


def in_part(inliers: int, likeness: InkLikeness) -> float:
    """The probability that the part which agrees was printed from one block."""
    return _logistic(PART_SLOPE * (likeness.part - PART_DOUBTED)) * _logistic(
        PART_INLIERS_SLOPE * (inliers - PART_INLIERS_DOUBTED)
    )


def _way(one: LocalFeatures, other: LocalFeatures, turned: bool, mirrored: bool) -> Way:
    registration = matching.register(one, other, turned)
    found = cells.compare(one.cells.upright, other.cells.upright)
    way = Way(one, mirrored, found.excess, registration)
    least = MIRRORED_DETAILS if mirrored else matching.FOR_SIMILARITY
    proposed = alignment.turned(one, other, sideways=turned)
    if found.excess < HOPELESS and registration.inliers < least and not proposed:
        return way
    if found.transform is not None:
        proposed.insert(0, _in_pixels(found.transform, one, other))
    laid = alignment.align(one, other, registration, proposed)
    likeness = ink.compare(one, other, laid.transform) if laid else None
    if likeness is None:
        return way
    clearness = (one.clearness + other.clearness) / 2
    wanted = lines_wanted(clearness, min(one.resolved, other.resolved))
    everywhere = _logistic(LOW_SLOPE * (likeness.low - LOW_WANTED))
    sure = _logistic(LINES_SLOPE * (likeness.finest - wanted)) * everywhere
    grey = clearness < COARSE and likeness.finest < UNMISTAKABLE
    blurred = any(map(_is_blurred, (one, other))) and likeness.finest < UNMISTAKABLE_BLURRED
    too_coarse = sure >= UNDECIDED and (grey or blurred)
    return replace(
        way,
        likeness=likeness,
        wanted=wanted,
        in_lines=min(sure, COARSE_SAME) if too_coarse else sure,
        too_coarse=too_coarse,
    )


def _is_blurred(features: LocalFeatures) -> bool:
    """Whether a scan shows far less than its pixels could: its finest lines are lost."""
    shown: int = min(max(features.ink.shape), features.longest)
    return features.resolved < BLURRED * shown


def _worth(way: Way) -> tuple[float, float, int]:
    part = in_part(way.registration.inliers, way.likeness) if way.likeness else 0.0
    return max(way.of_one_block, part), way.excess, way.registration.inliers


def _in_pixels(transform: Matrix, one: LocalFeatures, other: LocalFeatures) -> Matrix:
    """A transform of cells as one of pixels."""
    in_pixels: Matrix = _from_cells(other) @ transform @ np.linalg.inv(_from_cells(one))
    return in_pixels


def _from_cells(features: LocalFeatures) -> Matrix:
    """3 x 3, from places in cells to places in pixels of the picture."""
    left, top, right, bottom = features.cells.box
    grid = features.cells.upright
    height, width = features.ink.shape
    across, down = features.width / width, features.height / height
    return np.array(
        [
            [across * (right - left) / grid.columns, 0, across * left],
            [0, down * (bottom - top) / grid.rows, down * top],
            [0, 0, 1],
        ]
    )


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, value))))
