"""Finds every pair of images that reaches a threshold, exactly, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgsim.similarity.comparison import sketches
from imgsim.similarity.comparison.products import Multiplied, OnProcessor
from imgsim.similarity.comparison.sketches import Sketches
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.work import in_parallel

if TYPE_CHECKING:
    import numpy.typing as npt

ROWS = 512
COLUMNS = 4096


@dataclass(frozen=True)
class Found:
    """Pairs of images and their cosines as flat columns; `row_ids` come later in the order.

    `similarity` is the cosine of the stored vectors, computed in double precision and rounded to
    seven decimals, as in neighbour lists.
    """

    row_ids: npt.NDArray[np.int64]
    column_ids: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]

    @classmethod
    def none(cls) -> Found:
        """Returns no pairs."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """Returns all pairs of several parts, of which there is at least one."""
        columns = zip(*((p.row_ids, p.column_ids, p.similarity) for p in parts), strict=True)
        return cls(*map(np.concatenate, columns))

    def taken(self, which: npt.NDArray[np.generic]) -> Found:
        """Returns some of the pairs, by their places or a mask."""
        return Found(self.row_ids[which], self.column_ids[which], self.similarity[which])


class Reaching:
    """Finds the pairs whose cosine is at least a threshold, one for all or one for each column.

    A product of sketches proposes whatever reaches the threshold minus the margin (see `sketches`),
    so that no pair is missed; double precision decides.

    Args:
        order: positions of the vectors, in the order in which each is compared with those before.
        least: the threshold, (n,) in the order of the vectors, or one for all.
        compared: how many pairs will be compared.
        chosen: sketches in that order; if None, those that a sample finds best.
        multiply: what multiplies the sketches, and where.
    """

    def __init__(
        self,
        vectors: Vectors,
        order: npt.NDArray[np.intp],
        least: float | npt.NDArray[np.float64],
        compared: float,
        chosen: Sketches | None = None,
        multiply: Multiplied = OnProcessor,
    ) -> None:
        self._vectors = vectors
        self._order = order
        self._least = np.broadcast_to(np.asarray(least, np.float64), len(order))[order]
        if chosen is None:
            # Sketches are chosen once for all columns: by the threshold of the middle one.
            typical = float(np.median(self._least)) if len(order) else 1.0
            chosen = sketches.best(
                vectors, lambda rows: np.full(len(rows), typical), compared, order
            )
        self._products = multiply(chosen.values)
        self._bounds = (self._least - chosen.margin).astype(np.float32)

    def before(self, start: int, end: int) -> Iterator[Found]:
        """Yields the pairs of those from `start` up to `end` in the order with all before them."""
        # Below the diagonal only: each pair is met once, as the later with the earlier.
        tiles = (
            (row, column)
            for row in range(start, end, ROWS)
            for column in range(0, min(end, row + ROWS), COLUMNS)
        )
        yield from in_parallel(lambda tile: self._tile(*tile, end), tiles)

    def _tile(self, row: int, column: int, end: int) -> Found:
        rows = slice(row, min(end, row + ROWS))
        columns = slice(column, min(rows.stop, column + COLUMNS))
        left, right = self._products.tile(rows, columns, self._bounds[columns])
        left += row
        right += column
        before = right < left  # of a tile on the diagonal, half
        least = self._least[right[before]]
        one, other = self._order[left[before]], self._order[right[before]]
        similarity = self._vectors.cosines(one, other)
        found = Found(self._vectors.ids[one], self._vectors.ids[other], similarity)
        return found.taken(similarity >= least)
