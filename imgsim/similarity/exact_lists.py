"""Neighbour lists filled exactly, by products of vectors: only those that are missing.

A list is exact among all images that have one, and of every two images with lists each has been
considered for the other's. So images without a list are all that is left to do, after an
interruption as after an ingest: each is compared with all others, fills its own list, and enters
those it belongs in. Blocks of images are committed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from imgsim.database.connection import Connection
from imgsim.database.turns import committed
from imgsim.networks.models import Model
from imgsim.similarity.comparison.nearest import Lists, Nearest, places
from imgsim.similarity.comparison.products import Multiplied
from imgsim.similarity.comparison.reaching import Found, Reaching
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.similarity.revisions import unchanged_since
from imgsim.similarity.stored_lists import (
    State,
    cut,
    enter,
    forget_all,
    last_similarities,
    replace,
    set_state,
)
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.work import Progress

if TYPE_CHECKING:
    import numpy.typing as npt

COMMITTED = 8192
"""How many lists are committed together."""


def fill(
    connection: Connection,
    model: Model,
    k: int,
    state: State,
    on_progress: Progress,
    multiply: Multiplied,
) -> int:
    """Fills the lists that a model lacks, to at least k, and returns how many those were.

    Raises:
        ChangedMeanwhileError: vectors were replaced or removed since `state` was read.
    """
    # The vectors are read after the revision: they may be newer, and are looked at again then.
    vectors = read_vectors(connection, model)
    length = max(k, state.k or 0)
    if state.method == "hnsw":
        committed(connection, partial(forget_all, connection, model, state))
    kth = last_similarities(connection, model, vectors, min(length, len(vectors.ids) - 1))
    # A list that is shorter than requested is filled anew: what it lacks cannot be told.
    without = np.flatnonzero(np.isneginf(kth))
    nearest = Nearest(vectors, length, compared=len(without), multiply=multiply)
    gains = _Gains(vectors, kth, without, length, multiply)
    for start in range(0, len(without), COMMITTED):
        rows = without[start : start + COMMITTED]
        lists = list(nearest.lists(rows))
        gained = gains.of(start, start + len(rows))
        block = _Block(vectors.ids[rows], lists, length, gained)
        committed(connection, partial(_store, connection, model, state, block))
        on_progress(model.name, start + len(rows), len(without))
    committed(connection, partial(_finish, connection, model, length, state))
    return len(without)


class _Block(NamedTuple):
    """Images with their new lists, and the lists of others that they enter."""

    ids: npt.NDArray[np.int64]
    lists: Sequence[Lists]
    length: int
    gained: Found


def _store(connection: Connection, model: Model, state: State, block: _Block) -> None:
    unchanged_since(connection, model, state.revision)
    replace(connection, model, block.ids, block.lists)
    enter(connection, model, block.length, block.gained)


def _finish(connection: Connection, model: Model, length: int, state: State) -> None:
    unchanged_since(connection, model, state.revision)
    cut(connection, model, length)
    set_state(connection, model, length, state.revision)


class _Gains:
    """Finds new images that belong in existing lists: those at least as similar as the last entry.

    Args:
        kth: the last similarity of each list, minus infinity where there is none yet.
        without: where the images without a list stand.
        length: no more than so many newcomers can stay in a list.
    """

    def __init__(
        self,
        vectors: Vectors,
        kth: npt.NDArray[np.float64],
        without: npt.NDArray[np.intp],
        length: int,
        multiply: Multiplied,
    ) -> None:
        others = np.flatnonzero(np.isfinite(kth))
        self._length = length
        self._before = len(others)
        if self._before:
            # Nothing reaches infinity: newcomers have no list yet that others could enter.
            least = np.where(np.isfinite(kth), kth, np.inf)
            compared = float(len(without)) * len(others)
            order = np.concatenate([others, without])
            self._reaching = Reaching(vectors, order, least, compared, multiply=multiply)

    def of(self, start: int, end: int) -> Found:
        """Returns list owners (columns) and newcomers (rows), for newcomers `start` to `end`."""
        parts = [Found.none()]
        if self._before:
            parts += self._reaching.before(self._before + start, self._before + end)
        found = Found.joined(parts)
        # As many newcomers for an owner as its list is long: the others would fall off again.
        order = np.lexsort((found.row_ids, -found.similarity, found.column_ids))
        return found.taken(order[places(found.column_ids[order]) <= self._length])
