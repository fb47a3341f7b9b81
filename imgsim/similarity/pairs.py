"""The pairs of a store that reach a threshold: found, added to, and kept right when images go.

`imgsim.pair_image` names the images that have been compared with each other, and from which
threshold. Whatever is not named there is all that is left to do, after an interruption as after
an ingest: each is compared with all that are. Blocks of images are committed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.copying import copy_columns
from imgsim.database.turns import committed, share_models
from imgsim.errors import ImgsimError
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.similarity.comparison.products import Multiplied, OnProcessor
from imgsim.similarity.comparison.reaching import Found, Reaching
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.similarity.revisions import removed_meanwhile, renew, unchanged_since
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.wording import counted
from imgsim.work import Progress, silent

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_PAIRS = 20_000_000
COMMITTED = 4096
"""How many images are compared with all before them in one transaction."""


class TooManyPairsError(ImgsimError):
    """More pairs reach the threshold than are worth storing."""


@dataclass(frozen=True)
class State:
    """What a model's pairs are true for; `threshold` is None where it has none."""

    revision: int
    threshold: float | None
    of_revision: int | None

    def is_current(self, threshold: float) -> bool:
        """Returns whether pairs are those of the vectors, from that threshold or a lower one."""
        stored = self.threshold
        return self.of_revision == self.revision and stored is not None and stored <= threshold


def bring_up_to_date(
    connection: Connection,
    models: Sequence[Model],
    threshold: float | None = None,
    on_progress: Progress = silent,
    at_most: int = MOST_PAIRS,
    multiply: Multiplied = OnProcessor,
    may_be_old: bool = True,
) -> dict[str, int]:
    """Fills `imgsim.pair` for models whose pairs are missing, too few, or older than their images.

    Args:
        threshold: the least similarity of a pair; by default each model's own.
        on_progress: called with the model's name, how many comparisons are done, and of how many.
        at_most: stop, with nothing changed, where a model has more pairs than this.
        multiply: what multiplies, and where.
        may_be_old: a role that may only read, or a standby, goes on with what is stored.

    Returns:
        For each model whose pairs were not current, how many it has now.

    Raises:
        ImgsimError: the threshold is out of range.
        TooManyPairsError: a model has more than `at_most`.
    """
    if threshold is not None and not 0 < threshold <= 1:
        raise ImgsimError(f"the threshold is {threshold}", "give one above 0, up to 1")

    def fill(model: Model) -> int:
        state = state_of(connection, model)
        least = thresholds.of(model, threshold).value
        return _Filling(connection, model, state, least, at_most).run(on_progress, multiply)

    return renew(
        *(connection, models, "imgsim.pair", may_be_old),
        is_current=lambda model: state_of(connection, model).is_current(
            thresholds.of(model, threshold).value
        ),
        fill=fill,
    )


def forget_pairs_of(connection: Connection, image_ids: Sequence[int]) -> None:
    """Drops the pairs of some images, of all models; they are to be compared again."""
    ids = list(image_ids)
    connection.execute(
        "delete from imgsim.pair where image_id = any(%s) or other_id = any(%s)", [ids, ids]
    )
    connection.execute("delete from imgsim.pair_image where image_id = any(%s)", [ids])


def stay_current(connection: Connection, model: Model, removed: Sequence[int]) -> None:
    """Keeps a model's pairs as current as they were, before images' removal raises its revision.

    The pairs of removed images go with them, and no other pair depends on those.
    """
    connection.execute(
        sql.SQL(
            """
            update imgsim.pair_state s
            set revision = m.revision + 1,
                images = (
                    select count(*)
                    from imgsim.{} e
                    where not exists (
                        select from unnest(%s::bigint[]) as r (image_id)
                        where r.image_id = e.image_id
                    )
                )
            from imgsim.model m
            where m.model_id = s.model_id and m.revision = s.revision and m.model_id = %s
            """
        ).format(sql.Identifier(model.embedding_table)),
        [list(removed), model.model_id],
    )


def state_of(connection: Connection, model: Model) -> State:
    """Returns what a model's stored pairs are true for.

    Raises:
        NotFoundError: the model was removed meanwhile.
    """
    row = connection.execute(
        """
        select m.revision, s.threshold, s.revision
        from imgsim.model m
        left join imgsim.pair_state s using (model_id)
        where m.model_id = %s
        """,
        [model.model_id],
    ).fetchone()
    if row is None:
        raise removed_meanwhile(model)
    return State(*row)


class _Filling:
    """One run for one model: what is compared already, what is left, and from which threshold."""

    def __init__(
        self, connection: Connection, model: Model, state: State, threshold: float, at_most: int
    ) -> None:
        self._connection = connection
        self._model = model
        self._state = state
        self._at_most = at_most
        # Never higher than what is stored: pairs that were computed are not thrown away.
        self._threshold = min(threshold, state.threshold or threshold)
        # Read after the revision: they may be newer, and are looked at again then.
        self._vectors = read_vectors(connection, model)
        self._complete_from = _thresholds(connection, model, self._vectors)

    def run(self, on_progress: Progress, multiply: Multiplied) -> int:
        """Compares block by block, and returns how many pairs the model has then."""
        is_left = self._complete_from > self._threshold
        done, left = np.flatnonzero(~is_left), np.flatnonzero(is_left)
        comparisons = len(left) * (2 * len(done) + len(left) - 1) // 2
        order = np.concatenate([done, left])
        reaching = Reaching(self._vectors, order, self._threshold, comparisons, multiply=multiply)
        stored = self._count()
        for start in range(len(done), len(order), COMMITTED):
            end = min(len(order), start + COMMITTED)
            found = self._found(reaching, start, end, self._at_most - stored)
            stored += len(found.row_ids)
            ids = self._vectors.ids[order[start:end]]
            committed(self._connection, partial(self._store, found, ids))
            compared = (end * (end - 1) - len(done) * (len(done) - 1)) // 2
            on_progress(self._model.name, compared, comparisons)
        committed(self._connection, self._set_state)
        return stored

    def _unchanged(self) -> None:
        unchanged_since(self._connection, self._model, self._state.revision)

    def _store(self, found: Found, ids: npt.NDArray[np.int64]) -> None:
        self._unchanged()
        self._copy(found)
        self._mark(ids)

    def _found(self, reaching: Reaching, start: int, end: int, room: int) -> Found:
        """Returns the pairs of a block that are not stored yet."""
        parts = [Found.none()]
        for part in reaching.before(start, end):
            # What is stored from a higher threshold is not stored twice.
            parts.append(part.taken(part.similarity < self._stored_from(part)))
            room -= len(parts[-1].row_ids)
            # Looked at block by block: so many pairs must not be collected before they are refused.
            if room < 0:
                committed(self._connection, self._undo)
                raise TooManyPairsError(
                    f"more than {counted(self._at_most, 'pair')} of {self._model.name} reach "
                    f"{self._threshold:g} (weights: {self._model.weights}); nothing was changed",
                    "raise --threshold, or --at-most if there is room for that many",
                )
        return Found.joined(parts)

    def _stored_from(self, found: Found) -> npt.NDArray[np.float64]:
        """Returns from which similarity the pairs of these images are stored already."""
        ends = (self._vectors.rows_of(ids) for ids in (found.row_ids, found.column_ids))
        return np.maximum(*(self._complete_from[rows] for rows in ends))

    def _undo(self) -> None:
        """Deletes what this run has stored below the threshold that was there before."""
        before = self._state.threshold
        # Whoever removes images deletes the same rows: it waits for the models' rows first.
        share_models(self._connection)
        values = {"model_id": self._model.model_id, "before": before}
        self._connection.execute(
            """
            delete from imgsim.pair
            where model_id = %(model_id)s
                and (%(before)s::float8 is null or similarity < %(before)s)
            """,
            values,
        )
        self._connection.execute(
            """
            delete from imgsim.pair_image
            where model_id = %(model_id)s and %(before)s::float8 is null
            """,
            values,
        )
        self._connection.execute(
            """
            update imgsim.pair_image
            set threshold = %(before)s
            where model_id = %(model_id)s and threshold < %(before)s
            """,
            values,
        )

    def _count(self) -> int:
        row = self._connection.execute(
            "select count(*) from imgsim.pair where model_id = %s and similarity >= %s",
            [self._model.model_id, self._threshold],
        ).fetchone()
        return int(row[0]) if row else 0

    def _copy(self, found: Found) -> None:
        if not len(found.row_ids):
            return
        copy_columns(
            self._connection,
            "imgsim.pair",
            {
                "model_id": (">i2", self._model.model_id),
                "image_id": (">i8", np.minimum(found.row_ids, found.column_ids)),
                "other_id": (">i8", np.maximum(found.row_ids, found.column_ids)),
                "similarity": (">f8", found.similarity),
            },
        )

    def _mark(self, ids: npt.NDArray[np.int64]) -> None:
        self._connection.execute(
            """
            insert into imgsim.pair_image (model_id, image_id, threshold)
            select %s, i, %s from unnest(%s::bigint[]) as i
            on conflict (model_id, image_id) do update set threshold = excluded.threshold
            """,
            [self._model.model_id, self._threshold, ids.tolist()],
        )

    def _set_state(self) -> None:
        self._unchanged()
        self._connection.execute(
            """
            insert into imgsim.pair_state (model_id, threshold, images, revision)
            values (%s, %s, %s, %s)
            on conflict (model_id) do update
            set threshold = excluded.threshold, images = excluded.images,
                revision = excluded.revision, computed_at = now()
            """,
            [
                *(self._model.model_id, self._threshold),
                *(len(self._vectors.ids), self._state.revision),
            ],
        )


def _thresholds(connection: Connection, model: Model, vectors: Vectors) -> npt.NDArray[np.float64]:
    """Returns from which threshold each vector's pairs are stored; infinity if not compared."""
    known: dict[int, float] = dict(
        connection.execute(
            "select image_id, threshold from imgsim.pair_image where model_id = %s",
            [model.model_id],
        ).fetchall()
    )
    return np.array([known.get(i, np.inf) for i in vectors.ids.tolist()], np.float64)
