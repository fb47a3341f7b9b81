"""Multiplies sketches and looks for what reaches a bound, by numpy on the processor.

`devices` does the same by torch, on another device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

Places: TypeAlias = "tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]"
"""Rows and columns of a product, counted from the first requested."""

GROUP = 16
LOWEST = np.float32(-2)
"""Below every bound of two vectors, and above minus infinity, which marks excluded pairs."""


class Block(Protocol):
    """The products of some rows with all columns."""

    kth: npt.NDArray[np.float32]
    """For each row a number that at least k columns reach, and not many more."""

    def reaching(
        self, least: npt.NDArray[np.floating], below: npt.NDArray[np.floating] | None = None
    ) -> Places:
        """Returns where products reach `least` of their row, and are under `below`."""


class Products(Protocol):
    """Multiplies sketches, (n, m) float32, with each other."""

    def tile(self, rows: slice, columns: slice, least: npt.NDArray[np.float32]) -> Places:
        """Returns where products of rows with columns reach the `least` of their column."""

    def block(
        self, rows: npt.NDArray[np.intp], apart: npt.NDArray[np.bool_] | None, k: int
    ) -> Block:
        """Returns products of rows with all, without themselves and where `apart` (rows, n)."""


Multiplied: TypeAlias = "Callable[[npt.NDArray[np.float32]], Products]"


class OnProcessor:
    """Multiplies by numpy."""

    def __init__(self, values: npt.NDArray[np.float32]) -> None:
        self._count = len(values)
        self._values = values

    def tile(self, rows: slice, columns: slice, least: npt.NDArray[np.float32]) -> Places:
        products = self._values[rows] @ self._values[columns].T
        left, right = np.divmod(np.flatnonzero(products >= least), products.shape[1])
        return left, right

    def block(
        self, rows: npt.NDArray[np.intp], apart: npt.NDArray[np.bool_] | None, k: int
    ) -> Block:
        whole_groups = self._count + -self._count % GROUP
        products = np.empty((len(rows), whole_groups), np.float32)
        np.matmul(self._values[rows], self._values.T, out=products[:, : self._count])
        products[:, self._count :] = -np.inf
        products[np.arange(len(rows)), rows] = -np.inf
        if apart is not None:
            products[:, : self._count][apart] = -np.inf
        return Grouped(products, k)


class Grouped:
    """A block of products, looked through in groups of 16 columns.

    The k-th largest of the groups' greatest is no larger than the k-th largest of all, so at least
    k columns reach it, and it is found among sixteen times fewer numbers. Only groups whose
    greatest reaches a number are looked into.
    """

    def __init__(self, products: npt.NDArray[np.float32], k: int) -> None:
        self._groups = products.reshape(len(products), GROUP, -1)  # group g: columns g, g + n/16, …
        self._greatest = self._groups.max(axis=1)
        among = self._greatest if k <= self._greatest.shape[1] else products
        self.kth = np.partition(among, -k, axis=1)[:, -k]

    def reaching(
        self, least: npt.NDArray[np.floating], below: npt.NDArray[np.floating] | None = None
    ) -> Places:
        bound = np.maximum(np.asarray(least, np.float32), LOWEST)
        members = self._greatest.shape[1]
        row, group = np.divmod(np.flatnonzero(self._greatest >= bound[:, None]), members)
        values = self._groups[row, :, group]
        wanted = values >= bound[row][:, None]
        if below is not None:
            wanted &= values < below[row][:, None]
        pair, place = np.nonzero(wanted)
        return row[pair], group[pair] + place * members
