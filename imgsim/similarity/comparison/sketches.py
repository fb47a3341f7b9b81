"""Bounds of cosines from fewer numbers, so that what cannot be near is not compared.

For vectors x, y of length 1 and an orthonormal basis Q of r directions,

    <x, y> = <Q'x, Q'y> + <x - QQ'x, y - QQ'y> <= <Q'x, Q'y> + |x - QQ'x| |y - QQ'y|

by the Cauchy-Schwarz inequality. A sketch of x is Q'x with |x - QQ'x| as one more number, so the
product of two sketches is never less than the cosine: a pair whose product is below a threshold is
below it in truth, and only the rest needs its cosine. Searches for inner products prune likewise
(Li, Chan, Yiu, Mamoulis: FEXIPRO, SIGMOD 2017). The basis spans the directions of most variance,
found from a sample (Halko, Martinsson, Tropp, SIAM Review 53, 2011); a poor basis costs time, not
answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from threadpoolctl import threadpool_limits

from imgsim.similarity.comparison.vectors import Vectors
from imgsim.wording import DECIMALS
from imgsim.work import in_parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows: TypeAlias = npt.NDArray[np.intp]

BASIS_SAMPLE = 2048
COLUMN_SAMPLE = 2048
ROW_SAMPLE = 64
SHARES = (64, 32, 16, 8, 4, 2)
LEAST_RANK = 16
BLOCK = 1024
EXACT = 64
"""What a number of an exact cosine costs, in multiplications of a matrix product."""


@dataclass(frozen=True)
class Sketches:
    """Short vectors, (n, r + 1) float32, whose products are at least the cosines.

    They are in the order requested. `margin` is how far such a product may come out below a cosine
    that is rounded as cosines are stored.
    """

    values: npt.NDArray[np.float32]
    margin: float


def whole(vectors: Vectors, order: Rows) -> Sketches:
    """Returns the vectors themselves, of length 1, in place of sketches."""
    values = np.empty((len(order), vectors.dimension), np.float32)
    for start in range(0, len(order), BLOCK):
        part = slice(start, start + BLOCK)
        values[part] = vectors.unit(order[part], np.float32)
    return Sketches(values, _margin(vectors.dimension))


def of_rank(vectors: Vectors, order: Rows, basis: npt.NDArray[np.float64]) -> Sketches:
    """Returns sketches in an orthonormal basis, (dimension, r).

    They are computed in double precision, whose errors are negligible beside the margin.
    """
    values = np.empty((len(order), basis.shape[1] + 1), np.float32)

    def fill(start: int) -> None:
        part = slice(start, start + BLOCK)
        values[part] = _sketch(vectors, order[part], basis)

    for _ in in_parallel(fill, range(0, len(order), BLOCK)):
        pass
    return Sketches(values, _margin(values.shape[1]))


def _sketch(
    vectors: Vectors, rows: Rows, basis: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    inside = vectors.values[rows].astype(np.float64) @ basis
    inside /= vectors.lengths[rows, None]
    return _with_rest(inside)


def _with_rest(inside: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    rest = np.sqrt(np.maximum(0, 1 - np.vecdot(inside, inside)))
    return np.column_stack([inside, rest])


def _margin(numbers: int) -> float:
    """Returns how much a product of so many single-precision numbers, and rounding, may lose.

    The product of vectors no longer than 1 is off by at most numbers * u, u = 2^-24 (Higham,
    Accuracy and Stability of Numerical Algorithms, 3.1), rounding the numbers themselves adds 2 u.
    Rounding a cosine to seven decimals lifts it by half a unit of the last; the square root of a
    difference (`_sketch`) is off by no more than 2^-24 where it matters.
    """
    return (numbers + 8) * 2.0**-24 + 10.0**-DECIMALS


def best(
    vectors: Vectors,
    least: Callable[[Rows], npt.NDArray[np.floating]],
    compared: float,
    order: Rows,
) -> Sketches:
    """Returns the sketches with which a comparison costs the least, judged by a sample.

    Args:
        least: returns for some rows the cosine from which a column is wanted there.
        compared: how many pairs of vectors will be compared.
        order: which vectors, in which order.
    """
    count, dimension = vectors.values.shape
    ranks = [dimension // share for share in SHARES if dimension // share >= LEAST_RANK]
    # A basis must cost much less than the comparison that it may save only in part.
    affordable = [r for r in ranks if 4 * _setup(count, dimension, r) < compared * dimension]
    if not affordable:
        return whole(vectors, order)
    rng = np.random.default_rng(0)
    rows = rng.choice(count, min(ROW_SAMPLE, count), replace=False)
    columns = rng.choice(count, min(COLUMN_SAMPLE, count), replace=False)
    wanted = np.asarray(least(rows))[:, None]
    true = vectors.unit(rows, np.float32) @ vectors.unit(columns, np.float32).T
    lowest, chosen = dimension * (1 + EXACT * _share(true >= wanted)), whole
    basis = np.empty((dimension, 0))
    for rank in affordable:
        if rank >= lowest:
            break  # longer ones cost more than the best so far for their product alone
        if rank > basis.shape[1]:
            basis = leading_directions(vectors, max(rank, dimension // 16))
            left, right = (_sketch(vectors, some, basis)[:, :-1] for some in (rows, columns))
        bounds = _with_rest(left[:, :rank]) @ _with_rest(right[:, :rank]).T
        cost = rank + EXACT * dimension * _share(bounds >= wanted)
        if cost < lowest:
            lowest, chosen = cost, partial(of_rank, basis=basis[:, :rank])
    return chosen(vectors, order)


def _share(which: npt.NDArray[np.bool_]) -> float:
    return float(which.mean())


def _setup(count: int, dimension: int, rank: int) -> float:
    """Returns how many multiplications a basis of a rank costs, with the sketches in it."""
    return dimension * rank * (3 * min(count, BASIS_SAMPLE) + 6 * rank + 2 * count)


def leading_directions(vectors: Vectors, rank: int) -> npt.NDArray[np.float64]:
    """Returns an orthonormal basis (dimension, rank) of the main directions, strongest first."""
    rng = np.random.default_rng(0)
    count = len(vectors.ids)
    sample = np.sort(rng.choice(count, min(count, BASIS_SAMPLE), replace=False))
    units = np.asarray(vectors.unit(sample, np.float32))
    # Small factorisations on several threads mostly wait for each other.
    with threadpool_limits(1, "blas"):
        drawn = units.T @ rng.standard_normal((len(units), rank), dtype=np.float32)
        # Once more through the sample, or weak directions blur the strong ones (Halko et al., 4.5).
        drawn = units.T @ (units @ np.linalg.qr(drawn)[0])
        basis = np.linalg.qr(drawn.astype(np.float64))[0]
        inside = units @ basis.astype(np.float32)
        _, turned = np.linalg.eigh((inside.T @ inside).astype(np.float64))
        # Contiguous: an array read backwards is multiplied number by number.
        return np.ascontiguousarray((basis @ turned)[:, ::-1])
