"""How one picture lies upon another: told by details, by masses and by cells, the best taken.

Each kind fails where another does not: details where paper, wear or ink hide them; masses in a part
of a picture; cells where little is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgsim.reuse.evidence import matching, sheets
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.matching import Registration
from imgsim.reuse.evidence.sheets import Laid, Sheet, lay, sheet

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.reuse.evidence.matching import Matrix

    Plane = npt.NDArray[Any]

SIDE = 128
"""The longer side at which proposals are refined and held against each other, in pixels."""

BLURS = (1.5, 0.8)
"""Through which a proposal is refined, first and then."""

FARTHEST = 0.12
"""How far a corner may then be moved, of the longer side."""

LINES = (1.0, 13)
LEAST_SCORE, GOOD_SCORE = 0.3, 0.75
"""Below the one nothing agrees; from the other on no more is asked."""

LEAST_SHARED = 0.5
LEAST_OVERLAP = 100

ENOUGH_DETAILS = 12
"""With so many details that agree, masses are not asked."""

BOX_SIDE = 96
BOX_REFINED = (1.0, 0.12)
MOST_STRETCHED = 1.6
INKED, SPECKS = 0.37, 0.02
"""From which ink a pixel, and from which share of such a row, is taken for part of the picture."""

SEARCH_SIDE, SEARCH_BLUR = 64, 1.0
SCALES = np.geomspace(0.6, 1 / 0.6, 9)
TURNED_SIDE, LEAST_TURNED = 48, 0.75
TURNED_SCALES = np.geomspace(0.8, 1 / 0.8, 4)
"""Pictures that are turned must fit so well before they are looked at more closely."""


@dataclass(frozen=True)
class Alignment:
    """How one picture lies upon another.

    Attributes:
        transform: 3 x 3, from pixels of the one to pixels of the other.
        score: how well the lines then agree at `SIDE` pixels, 1 for equal; less where the smaller
            share of ink that lies upon the other is small.
        registration: the details that agree with one another, whatever proposed the transform.
    """

    transform: Matrix
    score: float
    registration: Registration


def align(
    one: LocalFeatures,
    other: LocalFeatures,
    registration: Registration,
    proposed: Sequence[Matrix] = (),
) -> Alignment | None:
    """How the one picture lies upon the other; None where nothing agrees.

    Args:
        registration: what their details tell.
        proposed: what others tell, from pixels to pixels.
    """
    above, below = sheet(one, SIDE), sheet(other, SIDE)
    best: tuple[float, Matrix] | None = None
    enough = registration.inliers >= ENOUGH_DETAILS
    for each in _proposals(one, other, registration, proposed):
        score, transform = _scored(above, below, each, refine=not enough)
        if score >= LEAST_SCORE and (best is None or score > best[0]):
            best = score, transform
        if score >= GOOD_SCORE:
            break
    if best is None:
        return None
    return Alignment(best[1], best[0], registration)


def turned(one: LocalFeatures, other: LocalFeatures, sideways: bool = False) -> list[Matrix]:
    """How the one lies upon the other upside down, or on its side, if its masses fit well there."""
    found = (
        _best_fit(one, other, quarters, TURNED_SIDE, TURNED_SCALES, LEAST_TURNED)
        for quarters in ((1, 2, 3) if sideways else (2,))
    )
    return [transform for transform in found if transform is not None]


def _proposals(
    one: LocalFeatures,
    other: LocalFeatures,
    registration: Registration,
    proposed: Sequence[Matrix],
) -> Iterator[Matrix]:
    if registration.transform is not None and registration.inliers >= matching.FOR_SIMILARITY:
        yield registration.transform
        if registration.inliers >= ENOUGH_DETAILS:
            return
    yield from proposed
    for found in (_box_on_box(one, other), _best_fit(one, other, 0, SEARCH_SIDE, SCALES)):
        if found is not None:
            yield found


def _scored(above: Sheet, below: Sheet, proposed: Matrix, refine: bool) -> tuple[float, Matrix]:
    """A proposal, perhaps refined, and how well lines agree under it."""
    laid = lay(above, below, proposed)
    # The finer is laid upon the coarser, whose pixels both then have.
    if back := laid.scale > 1:
        laid = laid.turned_over
    # Many details tell the place well, and the masses of two pictures in one frame would draw it
    # away from where the frames agree.
    for blur in BLURS if refine else ():
        laid = laid.refined(blur, FARTHEST)
    if np.count_nonzero(laid.overlap) < LEAST_OVERLAP:
        return 0.0, proposed
    agreeing = sheets.mean(*sheets.correlation(laid.upper, laid.below.ink, laid.overlap, *LINES))
    score = agreeing * min(1.0, min(laid.shares()) / LEAST_SHARED)
    return score, (laid.turned_over if back else laid).transform


def _box_on_box(one: LocalFeatures, other: LocalFeatures) -> Matrix | None:
    """What is inked of the one fitted upon what is inked of the other, and refined in small."""
    above, below = sheet(one, BOX_SIDE), sheet(other, BOX_SIDE)
    (left, top, right, bottom), (to_left, to_top, to_right, to_bottom) = map(_inked, (above, below))
    across, down = (to_right - to_left) / (right - left), (to_bottom - to_top) / (bottom - top)
    if not 1 / MOST_STRETCHED < across / down < MOST_STRETCHED:
        return None
    by: Matrix = np.array(
        [[across, 0, to_left - across * left], [0, down, to_top - down * top], [0, 0, 1]]
    )
    return Laid(above, below, by).refined(*BOX_REFINED).transform


def _inked(of: Sheet) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is inked of a sheet."""
    edges = []
    for axis in (0, 1):
        held = np.flatnonzero((of.ink > INKED).mean(axis=axis) > SPECKS)
        edges.append(
            (int(held[0]), int(held[-1]) + 1) if len(held) else (0, of.ink.shape[1 - axis])
        )
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _best_fit(
    one: LocalFeatures,
    other: LocalFeatures,
    quarters: int,
    side: int,
    scales: npt.NDArray[np.float64],
    least: float = -1.0,
) -> Matrix | None:
    """Where the masses of the one fit best upon the other, of all places and some scales.

    Args:
        quarters: by how many quarters of a circle the one is turned first, against the clock.
        least: how well they must correlate.
    """
    above, below = sheet(one, side), sheet(other, side)
    turn = _turned(above.ink.shape, quarters)
    upper, lower = np.ascontiguousarray(np.rot90(above.ink, quarters)), below.ink
    upper, lower = (cv2.GaussianBlur(plane, (0, 0), SEARCH_BLUR) for plane in (upper, lower))
    # Paper all round, so that a part of the one may lie outside the other.
    around = side // 3
    lower = np.pad(lower, around)
    best, by = least, None
    height, width = upper.shape
    for scale in scales:
        size = round(width * scale), round(height * scale)
        if size[0] > lower.shape[1] or size[1] > lower.shape[0] or min(size) < sheets.LEAST_SIDE:
            continue
        scaled = cv2.resize(upper, size, interpolation=cv2.INTER_AREA)
        fit = cv2.matchTemplate(lower, scaled, cv2.TM_CCOEFF_NORMED)
        _, likeness, _, (left, top) = cv2.minMaxLoc(fit)
        if likeness > best:
            best = likeness
            across, down = size[0] / width, size[1] / height
            by = np.array(
                [
                    [across, 0, left - around + (across - 1) / 2],
                    [0, down, top - around + (down - 1) / 2],
                    [0, 0, 1],
                ]
            )
    return None if by is None else Laid(above, below, by @ turn).transform


def _turned(shape: tuple[int, ...], quarters: int) -> Matrix:
    """What `np.rot90` does to the places of pixels: 3 x 3."""
    turn: Matrix = np.eye(3)
    height, width = shape
    for _ in range(quarters):
        turn = np.array([[0.0, 1, 0], [-1, 0, width - 1], [0, 0, 1]]) @ turn
        height, width = width, height
    return turn
