"""Which features of two pictures are the same, and how one picture lies upon the other.

Every match, having a place, a size and a direction, is a hypothesis of a similarity (Philbin et al.
2007, "fast spatial matching"): all are tried, so that the answer does not hang on chance. The best
is refined to an affinity or a homography where there is enough to tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from imgsim.reuse.evidence.features import LocalFeatures

if TYPE_CHECKING:
    import numpy.typing as npt

    Matrix = npt.NDArray[np.floating[Any]]

RATIO = 0.8
"""Of the distances to the nearest and the next nearest descriptor elsewhere (Lowe 2004)."""

UPRIGHT = np.deg2rad(30)
LIKE_SIZE, LIKE_DIRECTION = np.log(1.6), np.deg2rad(25)
COARSE, FINE = 0.02, 0.008
"""How far a point may lie from where it should, of the picture's longer side."""

TURNED_INLIERS = 16
MOST_HYPOTHESES = 400
FOR_SIMILARITY, FOR_AFFINITY, FOR_HOMOGRAPHY = 3, 8, 48
ROUNDS = 3
LARGEST_SCALE = 30.0
LARGEST_BEND = 0.5


@dataclass(frozen=True)
class Registration:
    """How one picture lies upon another.

    Attributes:
        transform: 3 x 3, from pixels of the one to pixels of the other; None if none was found.
        one, other: (n, 2), the places of the inliers in either.
        matches: how many features were thought the same at first.
    """

    transform: Matrix | None
    one: Matrix
    other: Matrix
    matches: int

    @property
    def inliers(self) -> int:
        """Matches that lie where they should, each place counted once."""
        return len(self.one)


def register(one: LocalFeatures, other: LocalFeatures, turned: bool = False) -> Registration:
    """How the one picture lies upon the other, as far as their features tell.

    Args:
        turned: accept any rotation; else one of over 30 degrees needs `TURNED_INLIERS`.
    """
    pairs = _matched(one, other)
    from_, to = one.points[pairs[:, 0]].astype(float), other.points[pairs[:, 1]].astype(float)
    within = COARSE * other.longest
    transform, inlying = _best_similarity(from_, to, within, turned)
    if not turned and np.count_nonzero(inlying) < TURNED_INLIERS:
        other_way, inlying_then = _best_similarity(from_, to, within, turned=True)
        if np.count_nonzero(inlying_then) >= TURNED_INLIERS:
            transform, inlying = other_way, inlying_then
    if transform is None:
        nothing = np.zeros((0, 2))
        return Registration(None, nothing, nothing, len(pairs))
    within = max(FINE * other.longest, 1.0)
    for round_ in range(ROUNDS):
        refined = _fitted(from_[inlying, :2], to[inlying, :2])
        if refined is None or not _is_sound(refined, one):
            break
        off = np.linalg.norm(moved(refined, from_[:, :2]) - to[:, :2], axis=1)
        closer = off < (within if round_ else 2 * within)
        if np.count_nonzero(closer) < FOR_SIMILARITY:
            break
        transform, inlying = refined, closer
    chosen = _distinct(from_[:, :2], to[:, :2], inlying, within)
    return Registration(transform, from_[chosen, :2], to[chosen, :2], len(pairs))


def moved(transform: Matrix, points: Matrix) -> Matrix:
    """Points (n, 2) where the transform puts them."""
    with np.errstate(all="ignore"):
        at = np.c_[points, np.ones(len(points))] @ transform.T
        moved_to: Matrix = np.nan_to_num(at[:, :2] / at[:, 2:], nan=np.inf)
    return moved_to


def _matched(one: LocalFeatures, other: LocalFeatures) -> npt.NDArray[np.intp]:
    """Features that are each other's nearest, and clearly nearer than the next elsewhere."""
    if len(one.points) < FOR_SIMILARITY or len(other.points) < FOR_SIMILARITY:
        return np.zeros((0, 2), np.intp)
    likeness = one.unit @ other.unit.T
    nearest, nearest_back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.flatnonzero(nearest_back[nearest] == np.arange(len(nearest)))
    columns = nearest[rows]
    first = likeness[rows, columns]
    second = np.minimum(
        _next_elsewhere(likeness[rows], other.points, columns),
        _next_elsewhere(likeness[:, columns].T, one.points, rows),
    )
    # The square of the distance of unit vectors is 2 - 2 cosine.
    clear = (1 - first) < RATIO**2 * np.maximum(1 - second, 1e-6)
    return np.stack([rows[clear], columns[clear]], axis=1)


def _next_elsewhere(
    likeness: npt.NDArray[np.float32],
    points: npt.NDArray[np.float32],
    nearest: npt.NDArray[np.intp],
) -> npt.NDArray[np.float32]:
    """The likeness of the nearest but those at the place of the nearest."""
    at = points[nearest]
    apart = (at[:, None, 0] - points[None, :, 0]) ** 2 + (at[:, None, 1] - points[None, :, 1]) ** 2
    elsewhere: npt.NDArray[np.float32] = np.where(apart > at[:, None, 2] ** 2, likeness, -1)
    best: npt.NDArray[np.float32] = elsewhere.max(axis=1)
    return best


def _best_similarity(
    from_: Matrix, to: Matrix, within: float, turned: bool
) -> tuple[Matrix | None, npt.NDArray[np.bool_]]:
    """The similarity told by one match with which most agree in place, size and direction."""
    none = np.zeros(len(from_), bool)
    if len(from_) < FOR_SIMILARITY:
        return None, none
    here, there = from_[:, 0] + 1j * from_[:, 1], to[:, 0] + 1j * to[:, 1]
    turn = to[:, 2] / from_[:, 2] * np.exp(1j * (to[:, 3] - from_[:, 3]))
    allowed = np.ones(len(turn), bool) if turned else np.abs(np.angle(turn)) < UPRIGHT
    tried = np.flatnonzero(allowed)[:MOST_HYPOTHESES]
    if not len(tried):
        return None, none
    shift = there[tried] - turn[tried] * here[tried]
    off = np.abs(turn[tried, None] * here + shift[:, None] - there)
    relative = turn / turn[tried, None]
    agree = off < within
    agree &= np.abs(np.log(np.abs(relative))) < LIKE_SIZE
    agree &= np.abs(np.angle(relative)) < LIKE_DIRECTION
    best = int(agree.sum(axis=1).argmax())
    scale, by = turn[tried[best]], shift[best]
    transform = np.array(
        [[scale.real, -scale.imag, by.real], [scale.imag, scale.real, by.imag], [0, 0, 1]]
    )
    return transform, agree[best]


def _fitted(from_: Matrix, to: Matrix) -> npt.NDArray[Any] | None:
    """The transform that fits: of as many degrees of freedom as so many points can tell."""
    count = len(from_)
    if count < FOR_SIMILARITY:
        return None
    fitted: npt.NDArray[Any] | None
    if count >= FOR_HOMOGRAPHY:
        fitted, _ = cv2.findHomography(from_, to, 0)
        return fitted
    estimate = cv2.estimateAffine2D if count >= FOR_AFFINITY else cv2.estimateAffinePartial2D
    fitted, _ = estimate(from_, to, method=cv2.LMEDS, refineIters=20)
    return None if fitted is None else np.vstack([fitted, [0, 0, 1]])


def _is_sound(transform: Matrix, one: LocalFeatures) -> bool:
    """Whether it neither turns a picture inside out nor shrinks or bends it beyond reason."""
    if not np.isfinite(transform).all():
        return False
    corners = np.array(
        [(0, 0), (one.width, 0), (one.width, one.height), (0, one.height)], np.float64
    )
    depth = np.c_[corners, np.ones(4)] @ transform[2]
    if depth.min() <= 0 or depth.max() > depth.min() * (1 + LARGEST_BEND):
        return False
    ax, ay = moved(transform, corners).T
    area = (ax * np.roll(ay, -1) - ay * np.roll(ax, -1)).sum() / 2 / (one.width * one.height)
    return bool(1 / LARGEST_SCALE**2 < area < LARGEST_SCALE**2)


def _distinct(
    from_: Matrix, to: Matrix, inlying: npt.NDArray[np.bool_], within: float
) -> npt.NDArray[np.intp]:
    """Inliers of which no two lie at one place in the other picture."""
    numbers = np.flatnonzero(inlying)
    cells = np.round(to[numbers] / within).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    kept = numbers[np.sort(first)]
    spread = max(float(np.ptp(from_, axis=0).max()), 1.0)
    cells = np.round(from_[kept] / (spread * FINE)).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    return kept[np.sort(first)]
