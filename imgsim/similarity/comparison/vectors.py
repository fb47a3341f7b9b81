"""The vectors of a model as an array, and their exact cosines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgsim.wording import DECIMALS

if TYPE_CHECKING:
    import numpy.typing as npt

PAIRS_AT_ONCE = 128
COLUMNS_AT_ONCE = 4096
DENSE_SHARE = 0.02


@dataclass(frozen=True)
class Vectors:
    """The vectors of a model: `ids` (n,) int64 ascending, `values` (n, dimension) float32.

    The values are the stored half-precision numbers, which single precision holds exactly;
    `lengths` (n,) float64 are near 1.
    """

    ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    lengths: npt.NDArray[np.float64]

    @property
    def dimension(self) -> int:
        return int(self.values.shape[1])

    def unit(
        self, rows: npt.NDArray[np.intp] | slice, dtype: npt.DTypeLike
    ) -> npt.NDArray[np.floating]:
        """Returns some of the vectors, brought to length 1 again."""
        vectors = self.values[rows].astype(dtype)
        vectors /= self.lengths[rows, None].astype(dtype)
        return vectors

    def rows_of(self, image_ids: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Returns the positions of images, which must all have a vector."""
        return np.searchsorted(self.ids, np.asarray(image_ids, np.int64))

    def cosines(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float64]:
        """Returns cosines of the vectors `rows[i]` and `columns[i]`, rounded to seven decimals.

        They are the same whatever the order of summation. Half-precision numbers are multiples of
        2^-24, so their products are of 2^-48, and of vectors about 1 long every partial sum is
        below 2^4: double precision, with 53 bits, holds all of them exactly.
        """
        own, place = np.unique(rows, return_inverse=True)
        others, other_place = np.unique(columns, return_inverse=True)
        left = self.values[own].astype(np.float64)
        products = np.empty(len(rows))
        if len(rows) > DENSE_SHARE * len(own) * len(others):
            # Products of all with all are cheaper than so many pairs.
            for start in range(0, len(others), COLUMNS_AT_ONCE):
                right = self.values[others[start : start + COLUMNS_AT_ONCE]].astype(np.float64)
                which = np.flatnonzero((start <= other_place) & (other_place < start + len(right)))
                products[which] = (left @ right.T)[place[which], other_place[which] - start]
        else:
            for start in range(0, len(rows), PAIRS_AT_ONCE):
                part = slice(start, start + PAIRS_AT_ONCE)
                products[part] = np.vecdot(left[place[part]], self.values[columns[part]])
        return np.round(products / (self.lengths[rows] * self.lengths[columns]), DECIMALS)


def vectors_of(ids: npt.NDArray[np.int64], values: npt.NDArray[np.float32]) -> Vectors:
    """Returns vectors with their lengths."""
    squares = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    return Vectors(ids, values, np.sqrt(squares))
