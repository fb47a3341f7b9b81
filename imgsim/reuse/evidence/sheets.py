"""The ink of pictures as sheets that can be laid upon each other, and compared place by place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.matching import moved

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.reuse.evidence.matching import Matrix

    Plane = npt.NDArray[Any]
    Mask = npt.NDArray[np.bool_]

FLAT = 1e-4
"""The variance below which a place holds no ink to speak of."""

ROUNDS = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-3)
LEAST_SIDE = 12
WHOLLY = 0.99
WEIGHED = (1.5, 25)
"""The blur and the window by which the ink of a place is weighed, in pixels of the sheet."""


@dataclass(frozen=True)
class Sheet:
    """A picture's ink in small, float32 in 0 to 1, and how its pixels lie in the picture's.

    Attributes:
        to_picture: 3 x 3, from pixels of the sheet to pixels of the picture.
        size: the picture's width and height.
    """

    ink: Plane
    to_picture: Matrix
    size: tuple[int, int]

    @cached_property
    def weight(self) -> Plane:
        """How much ink there is to compare at each place."""
        return correlation(self.ink, self.ink, np.ones(self.ink.shape, bool), *WEIGHED)[1]

    def reduced_to(self, side: int) -> Sheet:
        """The same, so many pixels long."""
        small = cv2.resize(self.ink, _size(self.ink, side), interpolation=cv2.INTER_AREA)
        return _sheet(small, self.size)


@dataclass(frozen=True)
class Laid:
    """A sheet above laid upon one below.

    Attributes:
        by: 3 x 3, from pixels of the sheet above to pixels of the one below.
    """

    above: Sheet
    below: Sheet
    by: Matrix

    @property
    def transform(self) -> Matrix:
        """From pixels of the picture above to pixels of the picture below."""
        transform: Matrix = self.below.to_picture @ self.by @ np.linalg.inv(self.above.to_picture)
        return transform

    @cached_property
    def scale(self) -> float:
        """How many pixels of the sheet below a pixel of the one above is long, in its middle."""
        height, width = self.above.ink.shape
        middle = np.array(
            [[width / 2, height / 2], [width / 2 + 1, height / 2], [width / 2, height / 2 + 1]]
        )
        at = moved(self.by, middle)
        return float(np.sqrt(abs(np.linalg.det(at[1:] - at[0]))))

    @property
    def turned_over(self) -> Laid:
        """The other sheet laid upon the one."""
        return Laid(self.below, self.above, np.linalg.inv(self.by))

    @cached_property
    def upper(self) -> Plane:
        """The ink above as it lies on the sheet below; 0 where there is none."""
        return self.placed(reduced(self.above.ink, self.scale))

    @cached_property
    def overlap(self) -> Mask:
        """Where on the sheet below both are."""
        mask: Mask = self.placed(np.ones_like(self.above.ink)) > WHOLLY
        return mask

    def placed(self, plane: Plane) -> Plane:
        """A plane of the sheet above as it lies on the one below; 0 where there is none of it."""
        return cv2.warpPerspective(plane, self.by, self.below.ink.shape[::-1])

    def shares(self) -> tuple[float, float]:
        """The share of the ink above, and of the ink below, that lies upon the other's sheet."""
        return (
            mean(self.turned_over.overlap, self.above.weight),
            mean(self.overlap, self.below.weight),
        )

    def refined(self, blur: float, farthest: float) -> Laid:
        """The same, aligned by the ink itself (Evangelidis and Psarakis 2008), if that is sound.

        Args:
            blur: the standard deviation of the blur through which it looks, in pixels below.
            farthest: how far a corner may be moved, of the longer side.
        """
        height, width = self.below.ink.shape
        upper = cv2.GaussianBlur(reduced(self.above.ink, self.scale), (0, 0), blur)
        lower = cv2.GaussianBlur(self.below.ink, (0, 0), blur)
        start = np.eye(2, 3, dtype=np.float32)
        there = self.overlap.astype(np.uint8)
        try:
            _, by = cv2.findTransformECC(
                lower, self.placed(upper), start, cv2.MOTION_AFFINE, ROUNDS, there, 1
            )
        except cv2.error:
            return self
        corrected = np.linalg.inv(np.vstack([by.astype(np.float64), [0, 0, 1]]))
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
        moved_by = np.abs(moved(corrected, corners) - corners).max()
        if not moved_by < farthest * max(width, height):
            return self
        return Laid(self.above, self.below, corrected @ self.by)


def sheet(features: LocalFeatures, side: int | None = None) -> Sheet:
    """A picture's ink as it is kept, or so many pixels long."""
    ink: Plane = features.ink
    if side and side != max(ink.shape):
        ink = cv2.resize(ink, _size(ink, side), interpolation=cv2.INTER_AREA)
    return _sheet(ink.astype(np.float32) / 255, (features.width, features.height))


def lay(above: Sheet, below: Sheet, transform: Matrix) -> Laid:
    """A sheet laid upon another.

    Args:
        transform: 3 x 3, from pixels of the picture above to pixels of the picture below.
    """
    return Laid(above, below, np.linalg.inv(below.to_picture) @ transform @ above.to_picture)


def reduced(ink: Plane, scale: float) -> Plane:
    """Ink blurred as much as it takes to be shown smaller without false patterns."""
    if scale > 0.9:
        return ink
    return cv2.GaussianBlur(ink, (0, 0), 0.5 * float(np.sqrt(1 / scale**2 - 1)))


def correlation(
    upper: Plane, lower: Plane, within: Mask, blur: float, side: int
) -> tuple[Plane, Plane]:
    """The local normalised correlation of two planes, and how much ink it is told from."""
    overlap = within.astype(np.float32)
    upper, lower = (cv2.GaussianBlur(plane, (0, 0), blur) * overlap for plane in (upper, lower))
    count = np.maximum(_sum(overlap, side), 1e-6)
    mean_upper, mean_lower = _sum(upper, side) / count, _sum(lower, side) / count
    of_upper = _sum(upper * upper, side) / count - mean_upper**2
    of_lower = _sum(lower * lower, side) / count - mean_lower**2
    of_both = _sum(upper * lower, side) / count - mean_upper * mean_lower
    likeness = of_both / np.sqrt(np.maximum(of_upper, FLAT) * np.maximum(of_lower, FLAT))
    weighed = np.sqrt(np.maximum(np.maximum(of_upper, of_lower), 0)) * overlap
    return likeness, weighed


def mean(values: Plane, weights: Plane) -> float:
    """The weighted mean of a plane; 0 where nothing weighs anything."""
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total > 0 else 0.0


def quantile(values: Plane, weights: Plane, share: float) -> float:
    """The value below which that share of the weight lies; 0 where nothing weighs anything."""
    weighed = weights > 0
    if not weighed.any():
        return 0.0
    order = np.argsort(values[weighed])
    running = np.cumsum(weights[weighed][order])
    at = int(np.searchsorted(running, share * running[-1]))
    return float(values[weighed][order][min(at, len(order) - 1)])


def _size(plane: Plane, side: int) -> tuple[int, int]:
    """Width and height of a plane when its longer side is so long."""
    height, width = (max(LEAST_SIDE, round(side / max(plane.shape) * s)) for s in plane.shape)
    return width, height


def _sheet(ink: Plane, size: tuple[int, int]) -> Sheet:
    height, width = ink.shape
    across, down = size[0] / width, size[1] / height
    # OpenCV's pixels have their middle where the numbers are whole, ours where they are halved.
    return Sheet(ink, np.array([[across, 0, across / 2], [0, down, down / 2], [0, 0, 1.0]]), size)


def _sum(plane: Plane, side: int) -> Plane:
    return cv2.boxFilter(plane, -1, (side, side), borderType=cv2.BORDER_CONSTANT)
