"""Whether two pictures are of one design: the middle layer of a network, cell by cell.

A redrawn copy shares hardly a line with its model, and yet each place of it looks like one there.
That is told by cells of a network's feature map that lie where they should (as Shen et al. 2019,
"Discovering visual patterns in art collections"), and by how much more alike they are than cells
of other pictures: what every woodcut has, hatching or sky, says little.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float32]
    Matrix = npt.NDArray[np.floating[Any]]

VECTOR = 16
"""Numbers a cell has; what 256 tell, these tell nearly as well."""

LEVELS = 127
HEAD = struct.Struct("<2B4H")

HYPOTHESES = 300
LEAST_APART, MOST_SCALED, MOST_TURNED = 2.0, 2.0, 0.2
"""Cells between two matches of a hypothesis; its scale, either way; its turn in radians."""

TOLERANCE = 0.07
"""How far a match may lie from where it should, of the side of a square as large."""

ROUNDS, DAMPING = 3, np.diag([8.0, 8.0, 1.0])
LEAST_AREA, MOST_AREA = 0.15, 6.0
LEAST_LOCALISED = 0.5
"""By how much cells must be more alike at their place than elsewhere; of copies, 0.6 to 0.9."""

LEAST_MATCHES, LEAST_OVERLAP, LEAST_INSIDE = 4, 16, 8
INSIDE = 0.5 * (1 - np.sqrt(0.68))
"""What is left out along each edge of the overlap: frames are shared by different pictures."""


@dataclass(frozen=True)
class Grid:
    """The cells of a picture, row by row.

    Attributes:
        rows, columns: how many.
        vectors: int8 (rows * columns, VECTOR): of length 1 in steps of 1/127.
        common: uint8 (rows * columns): the mean cosine with the likest cells of other pictures,
            in steps of 1/255.
    """

    rows: int
    columns: int
    vectors: npt.NDArray[np.int8]
    common: npt.NDArray[np.uint8]

    @cached_property
    def unit(self) -> Array:
        """The vectors in single precision."""
        return self.vectors.astype(np.float32) / np.float32(LEVELS)

    @cached_property
    def excess(self) -> Array:
        """What a cosine has to exceed to say anything: `common` in single precision."""
        return self.common.astype(np.float32) / np.float32(255)

    @cached_property
    def places(self) -> Array:
        """The middle of each cell, x and y, in cells."""
        down, across = np.mgrid[: self.rows, : self.columns]
        return np.stack([across.ravel(), down.ravel()], axis=1).astype(np.float32) + 0.5


@dataclass(frozen=True)
class Cells:
    """The cells of a picture as it is, and mirrored.

    Attributes:
        box: left, top, right, bottom of what they cover, in pixels of the ink as it is kept.
    """

    box: tuple[int, int, int, int]
    upright: Grid
    mirrored: Grid

    def reversed(self, width: int) -> Cells:
        """The cells of the same picture, left and right exchanged; its ink is so wide."""
        left, top, right, bottom = self.box
        return Cells((width - right, top, width - left, bottom), self.mirrored, self.upright)

    def pack(self) -> bytes:
        """What is kept of them; `unpack` reads it."""
        grids = (self.upright, self.mirrored)
        parts = [part.tobytes() for grid in grids for part in (grid.vectors, grid.common)]
        return HEAD.pack(self.upright.rows, self.upright.columns, *self.box) + b"".join(parts)


@dataclass(frozen=True)
class CellLikeness:
    """How alike two pictures are, cell by cell.

    Attributes:
        excess: by how much cells are more alike than those of other pictures: the mean of the
            inner part of the overlap, of both ways; above 0.05 for most copies.
        transform: 3 x 3, from cells of the one to cells of the other; None if too few agree.
    """

    excess: float
    transform: Matrix | None


NOTHING = CellLikeness(-1.0, None)


def unpack(packed: bytes) -> Cells:
    """The cells that were packed."""
    rows, columns, *box = HEAD.unpack_from(packed)
    count = rows * columns
    grids, at = [], HEAD.size
    for _ in range(2):
        vectors = np.frombuffer(packed, np.int8, count * VECTOR, at).reshape(count, VECTOR)
        common = np.frombuffer(packed, np.uint8, count, at + count * VECTOR)
        grids.append(Grid(rows, columns, vectors, common))
        at += count * (VECTOR + 1)
    return Cells((box[0], box[1], box[2], box[3]), *grids)


def compare(one: Grid, other: Grid) -> CellLikeness:
    """How alike the cells of two pictures are where the one fits best upon the other."""
    alike = one.unit @ other.unit.T
    beyond = 2 * alike - one.excess[:, None] - other.excess
    nearest, nearest_back = beyond.argmax(axis=1), beyond.argmax(axis=0)
    matched = np.flatnonzero(nearest_back[nearest] == np.arange(len(nearest)))
    if len(matched) < LEAST_MATCHES:
        return NOTHING
    from_, to = one.places[matched], other.places[nearest[matched]]
    transform = _fitted(from_, to, one, other)
    back = np.linalg.inv(transform)
    excess = (_excess(one, other, alike, transform) + _excess(other, one, alike.T, back)) / 2
    return CellLikeness(excess, transform)


def _fitted(from_: Array, to: Array, one: Grid, other: Grid) -> Matrix:
    """The transform with which most matches agree: 3 x 3, in cells."""
    tried = _hypotheses(from_, to)
    box = np.array([[[other.columns / one.columns, 0, 0], [0, other.rows / one.rows, 0]]])
    tried = np.concatenate([box, tried])
    within = (TOLERANCE**2) * other.columns * other.rows
    off = tried[:, :, :2] @ from_.T + tried[:, :, 2:] - to.T
    agree = (off**2).sum(axis=1) < within
    best = int(agree.sum(axis=1).argmax())
    transform, agreeing = tried[best], agree[best]
    for _ in range(ROUNDS):
        if np.count_nonzero(agreeing) < LEAST_MATCHES:
            break
        known = np.c_[from_[agreeing], np.ones(np.count_nonzero(agreeing))]
        refined = np.linalg.solve(
            known.T @ known + DAMPING, known.T @ to[agreeing] + DAMPING @ transform.T
        ).T
        if not LEAST_AREA < np.linalg.det(refined[:, :2]) < MOST_AREA:
            break
        transform = refined
        off = from_ @ transform[:, :2].T + transform[:, 2] - to
        agreeing = (off**2).sum(axis=1) < within
    whole: Matrix = np.vstack([transform, [0, 0, 1]])
    return whole


def _hypotheses(from_: Array, to: Array) -> npt.NDArray[Any]:
    """Similarities (n, 2, 3), each told by two matches: drawn by lot, the same every time."""
    drawn = np.random.default_rng(0).integers(0, len(from_), (HYPOTHESES, 2))
    here, there = (places[:, 0] + 1j * places[:, 1] for places in (from_, to))
    step, step_there = (p[drawn[:, 1]] - p[drawn[:, 0]] for p in (here, there))
    apart = np.abs(step) > LEAST_APART
    by = step_there / np.where(apart, step, 1)
    scale = np.abs(by)
    usable = apart & (scale > 1 / MOST_SCALED) & (scale < MOST_SCALED)
    usable &= np.abs(np.angle(by)) < MOST_TURNED
    by, first = by[usable], drawn[usable, 0]
    shift = there[first] - by * here[first]
    return np.stack(
        [
            np.stack([by.real, -by.imag, shift.real], axis=1),
            np.stack([by.imag, by.real, shift.imag], axis=1),
        ],
        axis=1,
    )


def _excess(one: Grid, other: Grid, alike: Array, transform: Matrix) -> float:
    """By how much the cells of the one, laid upon the other, exceed what is common; -1 if few."""
    at = np.floor(one.places @ transform[:2, :2].T + transform[:2, 2]).astype(int)
    there = ((at >= 0) & (at < (other.columns, other.rows))).all(axis=1)
    if np.count_nonzero(there) < LEAST_OVERLAP:
        return -1.0
    places = one.places[there]
    low, high = places.min(axis=0), places.max(axis=0)
    edge = INSIDE * (high - low)
    inside = ((places >= low + edge) & (places <= high - edge)).all(axis=1)
    if np.count_nonzero(inside) < LEAST_INSIDE:
        return -1.0
    numbers, to = np.flatnonzero(there)[inside], at[there][inside]
    best = np.full(len(numbers), -1, np.float32)
    for step in np.ndindex(3, 3):
        across, down = ((to + step - 1).clip(0, (other.columns - 1, other.rows - 1))).T
        best = np.maximum(best, alike[numbers, down * other.columns + across])
    common = one.excess[numbers]
    weight = 1 - common
    # Of a texture each cell is like all others: that one is at its place says nothing.
    localised = float((best - alike[numbers].mean(axis=1)).mean())
    return min(0.0, localised - LEAST_LOCALISED) + float(
        ((best - common) * weight).sum() / max(float(weight.sum()), 1e-6)
    )
