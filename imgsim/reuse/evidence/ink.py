"""What is inside: two pictures laid one upon the other, and their ink compared place by place.

Impressions of one block agree down to the line; a copy agrees in its masses and less and less the
finer one looks; different pictures in one frame agree in the frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.matching import moved

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.reuse.evidence.matching import Matrix

    Plane = npt.NDArray[Any]

LINES = (0.8, 13)
REGIONS = (1.5, 25)
MASSES = (3.0, 41)
"""The blur (standard deviation) and the window (side) of a comparison, in pixels of the ink."""

AGREES = 0.5
"""The local correlation from which a place counts as agreeing."""

FLAT = 1e-4
"""The variance below which a place holds no ink to speak of."""

ROUNDS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-3)
BLUR_TO_ALIGN = 2.0
FARTHEST_ALIGNED = 0.03
LEAST_OVERLAP = 12

SMALL = 96
BLUR_IN_SMALL, MASSES_IN_SMALL = 1.0, (0.9, 13)
FARTHEST_PROPOSED, MOST_STRETCHED = 0.12, 1.6
INKED, SPECKS, ALIKE_IN_SMALL = 0.37, 0.02, 0.5
"""From which ink a pixel, and from which share of such a row, is taken for part of the picture."""

WHOLLY = 0.99


@dataclass(frozen=True)
class InkLikeness:
    """How the ink of two pictures agrees where they overlap.

    Attributes:
        lines, masses: the mean local correlation in small windows, sharp, and in large ones,
            blurred; weighted by how much ink there is to compare.
        agreeing: the share of the overlap's ink that agrees.
        part: as `lines`, but only where it agrees.
        overlap, other_overlap: the share of each picture's ink that lies upon the other.
        coverage, other_coverage: the share of each picture's ink that agrees with the other.
        box, other_box: left, top, right, bottom in pixels of each picture: what agrees, in one
            piece, as far as it is the largest.
        transform: the alignment, once more refined by the ink.
    """

    lines: float
    masses: float
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


@dataclass(frozen=True)
class _Sheet:
    """A picture's ink in small, float32 in 0 to 1, and how its pixels lie in the picture's."""

    ink: Plane
    to_picture: Matrix
    size: tuple[int, int]


def compare(one: LocalFeatures, other: LocalFeatures, transform: Matrix) -> InkLikeness | None:
    """Compare the ink of two pictures, the one laid upon the other; None where they hardly overlap.

    Args:
        transform: 3 x 3, from pixels of the one to pixels of the other.
    """
    above, below = _sheet(one), _sheet(other)
    laid: Matrix = np.linalg.inv(below.to_picture) @ transform @ above.to_picture
    # The finer is laid upon the coarser, whose pixels both then have.
    if _scale(laid, above) <= 1:
        return _compared(above, below, laid)
    likeness = _compared(below, above, np.linalg.inv(laid))
    return likeness.reversed() if likeness else None


def propose(one: LocalFeatures, other: LocalFeatures) -> Matrix | None:
    """How the one picture lies upon the other, as far as their masses tell; None if they do not.

    What is inked of the one is fitted upon what is inked of the other, and refined in small. That
    is how a copy lies upon its model: the composition agrees, and hardly any detail.
    """
    above, below = (_sheet(features, SMALL) for features in (one, other))
    (left, top, right, bottom), (to_left, to_top, to_right, to_bottom) = map(_inked, (above, below))
    across, down = (to_right - to_left) / (right - left), (to_bottom - to_top) / (bottom - top)
    if not 1 / MOST_STRETCHED < across / down < MOST_STRETCHED:
        return None
    laid: Matrix = np.array(
        [[across, 0, to_left - across * left], [0, down, to_top - down * top], [0, 0, 1]]
    )
    laid = _aligned(above, below, laid, BLUR_IN_SMALL, FARTHEST_PROPOSED)
    overlap = _laid(np.ones_like(above.ink), laid, below) > WHOLLY
    correlation, weight = _correlation(
        _laid(above.ink, laid, below), below.ink, overlap, *MASSES_IN_SMALL
    )
    if _mean(correlation, weight) < ALIKE_IN_SMALL:
        return None
    proposed: Matrix = below.to_picture @ laid @ np.linalg.inv(above.to_picture)
    return proposed


def _inked(sheet: _Sheet) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is inked of a sheet."""
    edges = []
    for axis in (0, 1):
        held = np.flatnonzero((sheet.ink > INKED).mean(axis=axis) > SPECKS)
        edges.append(
            (int(held[0]), int(held[-1]) + 1) if len(held) else (0, sheet.ink.shape[1 - axis])
        )
    (left, right), (top, bottom) = edges
    return left, top, right, bottom


def _compared(above: _Sheet, below: _Sheet, laid: Matrix) -> InkLikeness | None:
    """Compare the ink of two sheets.

    Args:
        laid: 3 x 3, from pixels of the sheet above to pixels of the one below.
    """
    laid = _aligned(above, below, laid)
    back: Matrix = np.linalg.inv(laid)
    overlap = _laid(np.ones_like(above.ink), laid, below) > WHOLLY
    if min(np.count_nonzero(overlap.any(axis)) for axis in (0, 1)) < LEAST_OVERLAP:
        return None
    upper = _laid(_reduced(above.ink, _scale(laid, above)), laid, below)
    lines, line_weight = _correlation(upper, below.ink, overlap, *LINES)
    masses, mass_weight = _correlation(upper, below.ink, overlap, *MASSES)
    regions, weight = _correlation(upper, below.ink, overlap, *REGIONS)
    agrees = (regions > AGREES) & overlap
    piece = _largest_piece(agrees, weight)
    above_ink, below_ink = (_weight(sheet.ink) for sheet in (above, below))
    return InkLikeness(
        lines=_mean(lines, line_weight),
        masses=_mean(masses, mass_weight),
        agreeing=_mean(agrees, weight),
        part=_mean(lines, line_weight * agrees),
        overlap=_mean(_laid(np.ones_like(below.ink), back, above) > WHOLLY, above_ink),
        other_overlap=_mean(overlap, below_ink),
        coverage=_mean(_laid(agrees.astype(np.float32), back, above), above_ink),
        other_coverage=_mean(agrees, below_ink),
        box=_box(piece, back, above),
        other_box=_box(piece, np.eye(3), below),
        transform=below.to_picture @ laid @ np.linalg.inv(above.to_picture),
    )


def _laid(plane: Plane, laid: Matrix, below: _Sheet) -> Plane:
    """A plane of the sheet above as it lies on the one below; 0 where there is none of it."""
    return cv2.warpPerspective(plane, laid, below.ink.shape[::-1])


def _sheet(features: LocalFeatures, side: int | None = None) -> _Sheet:
    """A picture's ink as it is kept, or so many pixels long."""
    plane: Plane = features.ink
    if side:
        scale = side / max(plane.shape)
        size = [max(LEAST_OVERLAP, round(scale * length)) for length in plane.shape]
        plane = cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    height, width = plane.shape
    across, down = features.width / width, features.height / height
    # OpenCV's pixels have their middle where the numbers are whole, ours where they are halved.
    to_picture = np.array(
        [[across, 0, across / 2], [0, down, down / 2], [0, 0, 1]], dtype=np.float64
    )
    ink = plane.astype(np.float32) / 255
    return _Sheet(ink, to_picture, (features.width, features.height))


def _scale(laid: Matrix, above: _Sheet) -> float:
    """How many pixels of the sheet below a pixel of the one above is long, in its middle."""
    height, width = above.ink.shape
    middle = np.array(
        [[width / 2, height / 2], [width / 2 + 1, height / 2], [width / 2, height / 2 + 1]]
    )
    at = moved(laid, middle)
    return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))


def _reduced(ink: Plane, scale: float) -> Plane:
    """Blurred as much as it takes to be shown smaller without false patterns."""
    if scale > 0.9:
        return ink
    return cv2.GaussianBlur(ink, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)))


def _aligned(
    above: _Sheet,
    below: _Sheet,
    laid: Matrix,
    blur: float = BLUR_TO_ALIGN,
    farthest: float = FARTHEST_ALIGNED,
) -> Matrix:
    """The alignment refined by the ink itself (Evangelidis and Psarakis 2008), if it gains.

    Args:
        farthest: how far a corner may be moved, of the longer side.
    """
    height, width = below.ink.shape
    upper = cv2.GaussianBlur(_reduced(above.ink, _scale(laid, above)), (0, 0), blur)
    lower = cv2.GaussianBlur(below.ink, (0, 0), blur)
    before = _laid(upper, laid, below)
    there = (_laid(np.ones_like(upper), laid, below) > WHOLLY).astype(np.uint8)
    try:
        _, by = cv2.findTransformECC(
            lower, before, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, ROUNDS, there, 1
        )
    except cv2.error:
        return laid
    corrected = np.linalg.inv(np.vstack([by.astype(np.float64), [0, 0, 1]]))
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    moved_by = np.abs(moved(corrected, corners) - corners).max()
    if not moved_by < farthest * max(width, height):
        return laid
    refined: Matrix = corrected @ laid
    return refined


def _correlation(
    upper: Plane, lower: Plane, within: npt.NDArray[np.bool_], blur: float, side: int
) -> tuple[Plane, Plane]:
    """The local normalised correlation of two planes, and how much ink it is told from."""
    overlap = within.astype(np.float32)
    upper, lower = (cv2.GaussianBlur(plane, (0, 0), blur) * overlap for plane in (upper, lower))
    count = np.maximum(_sum(overlap, side), 1e-6)
    mean_upper, mean_lower = _sum(upper, side) / count, _sum(lower, side) / count
    of_upper = _sum(upper * upper, side) / count - mean_upper**2
    of_lower = _sum(lower * lower, side) / count - mean_lower**2
    of_both = _sum(upper * lower, side) / count - mean_upper * mean_lower
    correlation = of_both / np.sqrt(np.maximum(of_upper, FLAT) * np.maximum(of_lower, FLAT))
    weight = np.sqrt(np.maximum(np.maximum(of_upper, of_lower), 0)) * overlap
    return correlation, weight


def _sum(plane: Plane, side: int) -> Plane:
    return cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_CONSTANT)


def _weight(ink: Plane) -> Plane:
    """How much ink there is to compare at each place of a sheet."""
    return _correlation(ink, ink, np.ones(ink.shape, bool), *REGIONS)[1]


def _mean(values: Plane, weight: Plane) -> float:
    total = float(weight.sum())
    return float((values * weight).sum()) / total if total > 0 else 0.0


def _largest_piece(agrees: npt.NDArray[np.bool_], weight: Plane) -> npt.NDArray[np.bool_]:
    """Of what agrees, the piece with the most ink."""
    count, labels = cv2.connectedComponents(agrees.astype(np.uint8))
    if count <= 1:
        return agrees
    ink = np.bincount(labels.ravel(), weights=weight.ravel(), minlength=count)
    ink[0] = 0
    chosen: npt.NDArray[np.bool_] = labels == int(ink.argmax())
    return chosen


def _box(
    piece: npt.NDArray[np.bool_], from_below: Matrix, sheet: _Sheet
) -> tuple[int, int, int, int]:
    """The box around a piece of the sheet below, in pixels of a sheet's picture."""
    rows, columns = np.flatnonzero(piece.any(1)), np.flatnonzero(piece.any(0))
    if not len(rows):
        return 0, 0, 0, 0
    left, right = columns[0] - 0.5, columns[-1] + 0.5
    top, bottom = rows[0] - 0.5, rows[-1] + 0.5
    corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    at = moved(sheet.to_picture @ from_below, corners)
    width, height = sheet.size
    low = np.clip(at.min(axis=0), 0, (width, height)).round().astype(int)
    high = np.clip(at.max(axis=0), 0, (width, height)).round().astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
