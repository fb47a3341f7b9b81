"""What is inside: two pictures laid one upon the other, and their ink compared place by place.

Impressions of one block agree down to the line; a copy agrees in its masses and less and less the
finer one looks; different pictures in one frame agree in the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgsim.reuse.evidence import sheets
from imgsim.reuse.evidence.features import INK_SIDE, LocalFeatures
from imgsim.reuse.evidence.legibility import FINEST
from imgsim.reuse.evidence.matching import moved
from imgsim.reuse.evidence.sheets import Laid, Sheet, lay, sheet

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.reuse.evidence.matching import Matrix

    Plane = npt.NDArray[Any]
    Mask = npt.NDArray[np.bool_]

LINES = (0.8, 13)
REGIONS = (1.5, 25)
MASSES = (3.0, 41)
"""The blur (standard deviation) and the window (side) of a comparison, in pixels of the ink."""

LOW = 0.25
AGREES = 0.5
"""The local correlation from which a place counts as agreeing."""

REFINED = (1.0, 0.02)
EDGE = 5


@dataclass(frozen=True)
class InkLikeness:
    """How the ink of two pictures agrees where they overlap.

    Attributes:
        finest: how the finest lines correlate, of those that both scans can show.
        lines, masses: the mean local correlation in small windows, sharp, and in large ones,
            blurred; weighted by how much ink there is to compare.
        low: the local correlation by regions that three quarters of the ink exceed.
        agreeing: the share of the overlap's ink that agrees.
        part: as `lines`, but only where it agrees.
        overlap, other_overlap: the share of each picture's ink that lies upon the other.
        coverage, other_coverage: the share of each picture's ink that agrees with the other.
        box, other_box: left, top, right, bottom in pixels of each picture: what agrees, in one
            piece, as far as it is the largest.
        transform: the alignment, once more refined by the ink.
    """

    finest: float
    lines: float
    masses: float
    low: float
    agreeing: float
    part: float
    overlap: float
    other_overlap: float
    coverage: float
    other_coverage: float
    box: tuple[int, int, int, int]
    other_box: tuple[int, int, int, int]
    transform: Matrix

    def reversed(self) -> InkLikeness:
        """The same, seen from the other picture."""
        return replace(
            self,
            overlap=self.other_overlap,
            other_overlap=self.overlap,
            coverage=self.other_coverage,
            other_coverage=self.coverage,
            box=self.other_box,
            other_box=self.box,
            transform=np.linalg.inv(self.transform),
        )


def compare(one: LocalFeatures, other: LocalFeatures, transform: Matrix) -> InkLikeness | None:
    """Compare the ink of two pictures, the one laid upon the other; None where they hardly overlap.

    Args:
        transform: 3 x 3, from pixels of the one to pixels of the other.
    """
    laid = lay(sheet(one), sheet(other), transform)
    side = min(one.resolved, other.resolved)
    # The finer is laid upon the coarser, whose pixels both then have.
    if laid.scale <= 1:
        return _compared(laid, side)
    likeness = _compared(laid.turned_over, side)
    return likeness.reversed() if likeness else None


def finest(laid: Laid, left_out: Mask | None = None) -> float:
    """How the finest lines correlate, away from the edge of what overlaps.

    Args:
        left_out: places on the sheet below that do not count.
    """
    usable = laid.overlap if left_out is None else laid.overlap & ~left_out
    within = cv2.erode(usable.astype(np.uint8), np.ones((EDGE, EDGE), np.uint8)) > 0
    upper, lower = (_band(plane)[within] for plane in (laid.upper, laid.below.ink))
    lengths = float(np.sqrt(np.dot(upper, upper) * np.dot(lower, lower)))
    return float(np.dot(upper, lower)) / lengths if lengths > 0 else 0.0


def hardly_overlap(laid: Laid) -> bool:
    """Whether too little of one sheet lies upon the other to be compared."""
    overlap = laid.overlap
    return bool(min(np.count_nonzero(overlap.any(axis)) for axis in (0, 1)) < sheets.LEAST_SIDE)


def _compared(laid: Laid, side: int) -> InkLikeness | None:
    laid = laid.refined(*REFINED)
    if hardly_overlap(laid):
        return None
    overlap = laid.overlap
    above, below, upper = laid.above, laid.below, laid.upper
    lines, line_weight = sheets.correlation(upper, below.ink, overlap, *LINES)
    masses, mass_weight = sheets.correlation(upper, below.ink, overlap, *MASSES)
    regions, weight = sheets.correlation(upper, below.ink, overlap, *REGIONS)
    agrees = (regions > AGREES) & overlap
    piece = _largest_piece(agrees, weight)
    shares = laid.shares()
    back = laid.turned_over
    return InkLikeness(
        finest=finest(_at(laid, side)),
        lines=sheets.mean(lines, line_weight),
        masses=sheets.mean(masses, mass_weight),
        low=sheets.quantile(regions[::2, ::2], weight[::2, ::2], LOW),
        agreeing=sheets.mean(agrees, weight),
        part=sheets.mean(lines, line_weight * agrees),
        overlap=shares[0],
        other_overlap=shares[1],
        coverage=sheets.mean(back.placed(agrees.astype(np.float32)), above.weight),
        other_coverage=sheets.mean(agrees, below.weight),
        box=_box(piece, back.by, above),
        other_box=_box(piece, np.eye(3), below),
        transform=laid.transform,
    )


def _at(laid: Laid, side: int) -> Laid:
    """The same with sheets so many pixels long, refined once more where they are smaller."""
    if side >= INK_SIDE:
        return laid
    share = side / INK_SIDE
    above, below = (each.reduced_to(side) for each in (laid.above, laid.below))
    return lay(above, below, laid.transform).refined(max(0.6, share), REFINED[1])


def _band(plane: Plane) -> Plane:
    finer, coarser = (cv2.GaussianBlur(plane, (0, 0), blur) for blur in FINEST)
    band: Plane = finer - coarser
    return band


def _largest_piece(agrees: Mask, weight: Plane) -> Mask:
    """Of what agrees, the piece with the most ink."""
    count, labels = cv2.connectedComponents(agrees.astype(np.uint8))
    if count <= 1:
        return agrees
    ink = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
    ink[0] = 0
    chosen: Mask = labels == int(ink.argmax())
    return chosen


def _box(piece: Mask, from_below: Matrix, of: Sheet) -> tuple[int, int, int, int]:
    """The box around a piece of the sheet below, in pixels of a sheet's picture."""
    rows, columns = np.flatnonzero(piece.any(1)), np.flatnonzero(piece.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    left, right = columns[0] - 0.5, columns[-1] + 0.5
    top, bottom = rows[0] - 0.5, rows[-1] + 0.5
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    at = moved(of.to_picture @ from_below, corners)
    width, height = of.size
    low = np.clip(at.min(axis=0), 0, (width, height)).round().astype(int)
    high = np.clip(at.max(axis=0), 0, (width, height)).round().astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
