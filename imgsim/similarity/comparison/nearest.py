"""Finds the k nearest of images, exactly, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Iterator
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

MOST_ROWS = 512
BLOCK_NUMBERS = 1 << 24


@dataclass(frozen=True)
class Lists:
    """Neighbours of some images: flat columns in the order of image and rank.

    `similarity` is the cosine of the stored vectors, computed in double precision and rounded to
    seven decimals.
    """

    image_ids: npt.NDArray[np.int64]
    ranks: npt.NDArray[np.int64]
    other_ids: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float64]


class Nearest:
    """Finds the k nearest of images among all.

    A product of sketches proposes and double precision decides, in two steps. The k-th largest
    bound of a row leads to some k candidates, and the k-th largest of their cosines is one that
    the true neighbours reach, and so do their bounds, within the margin (see `sketches`): whatever
    else reaches it is compared too. Equal similarities are ranked by id, and no image is in its
    own list.

    Args:
        documents: a number for each vector; images of one document are kept out of each other's
            lists. A negative number means that the document is unknown.
        compared: how many images need lists; None for all.
        multiply: what multiplies the sketches, and where.
    """

    def __init__(
        self,
        vectors: Vectors,
        k: int,
        documents: npt.NDArray[np.int64] | None = None,
        chosen: Sketches | None = None,
        compared: int | None = None,
        multiply: Multiplied = OnProcessor,
    ) -> None:
        self._vectors = vectors
        self._kept = min(k, len(vectors.ids) - 1)
        self._documents = documents
        count = len(vectors.ids)
        if chosen is None and self._kept > 0:
            wanted = count if compared is None else compared
            chosen = sketches.best(vectors, self._least, float(wanted) * count, np.arange(count))
        if chosen is not None:
            self._margin = chosen.margin
            self._products = multiply(chosen.values)

    def _least(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.floating]:
        """Returns the k-th largest cosine of some rows, approximately."""
        units = self._vectors.unit(rows, np.float32)
        cosines = units @ self._vectors.values.T / self._vectors.lengths.astype(np.float32)
        cosines[np.arange(len(rows)), rows] = -np.inf
        return np.asarray(np.partition(cosines, -self._kept, axis=1)[:, -self._kept])

    def lists(self, rows: npt.NDArray[np.intp]) -> Iterator[Lists]:
        """Yields the lists of some images, block by block, in the order of `rows`."""
        if self._kept < 1:
            return
        # So many products stay in memory for each core; below 16 rows, multiplying gets slow.
        size = max(16, min(MOST_ROWS, BLOCK_NUMBERS // len(self._vectors.ids)))
        blocks = (rows[start : start + size] for start in range(0, len(rows), size))
        yield from in_parallel(self._block, blocks)

    def _block(self, rows: npt.NDArray[np.intp]) -> Lists:
        bounds = self._products.block(rows, self._apart(rows), self._kept)
        # Candidates first: their cosines say how far down the bounds must be looked through.
        row, column = bounds.reaching(bounds.kth)
        similarity = self._vectors.cosines(rows[row], column)
        least = _kth_of_rows(row, similarity, len(rows), self._kept) - self._margin
        more_row, more_column = bounds.reaching(least, below=bounds.kth)
        row = np.concatenate([row, more_row])
        column = np.concatenate([column, more_column])
        more = self._vectors.cosines(rows[more_row], more_column)
        return self._ranked(rows, row, column, np.concatenate([similarity, more]))

    def _apart(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_] | None:
        """Returns which images are kept out of whose lists, being of the same document."""
        if self._documents is None:
            return None
        own = self._documents[rows][:, None]
        return np.asarray((own == self._documents) & (own >= 0))

    def _ranked(
        self,
        rows: npt.NDArray[np.intp],
        row: npt.NDArray[np.intp],
        column: npt.NDArray[np.intp],
        similarity: npt.NDArray[np.float64],
    ) -> Lists:
        # np.lexsort sorts by its last key first; columns ascend as ids do.
        order = np.lexsort((column, -similarity, row))
        ranks = places(row[order])
        order = order[ranks <= self._kept]
        return Lists(
            self._vectors.ids[rows[row[order]]],
            ranks[ranks <= self._kept],
            self._vectors.ids[column[order]],
            similarity[order],
        )


def _kth_of_rows(
    row: npt.NDArray[np.intp], similarity: npt.NDArray[np.float64], rows: int, k: int
) -> npt.NDArray[np.float64]:
    """Returns the k-th largest similarity of each row; minus infinity where there are fewer."""
    order = np.lexsort((-similarity, row))
    kth = np.full(rows, -np.inf)
    last = order[places(row[order]) == k]
    kth[row[last]] = similarity[last]
    return kth


def places(row: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Returns 1, 2, 3, … within every run of equal numbers; `row` must be sorted."""
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    lengths = np.diff(begins, append=len(row))
    return np.arange(1, len(row) + 1) - np.repeat(begins, lengths)
