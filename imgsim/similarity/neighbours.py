"""The neighbour lists of a store: filled, added to, and mended when images go.

A list is exact among all images that have one, and of every two images with lists each has been
considered for the other's. So images without a list are all that is left to do, after an
interruption as after an ingest: each is compared with all others, fills its own list, and enters
those it belongs in. Blocks of images are committed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.copying import copy_columns
from imgsim.database.session import only_reads
from imgsim.database.turns import committed, turn
from imgsim.errors import ImgsimError
from imgsim.networks.models import Model
from imgsim.similarity.comparison.nearest import Lists, Nearest, places
from imgsim.similarity.comparison.products import Multiplied, OnProcessor
from imgsim.similarity.comparison.reaching import Found, Reaching
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.similarity.revisions import ChangedMeanwhileError, removed_meanwhile, unchanged_since
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.work import Progress, silent

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_NEIGHBOURS = 1000
COMMITTED = 8192
"""How many lists are committed together."""

RECALL_SAMPLE = 200


@dataclass(frozen=True)
class State:
    """What a model's lists are true for; `k` is None where it has none.

    `recall` is the measured share of the true neighbours in lists found through the index, and
    None for exact ones.
    """

    revision: int
    k: int | None
    of_revision: int | None
    recall: float | None

    @property
    def method(self) -> str:
        return "exact" if self.recall is None else "hnsw"

    def is_current(self, k: int, method: str) -> bool:
        """Whether the lists are those of the vectors, long enough, and no less exact than asked."""
        exact_enough = method == "hnsw" or self.method == "exact"
        return self.of_revision == self.revision and (self.k or 0) >= k and exact_enough


def bring_up_to_date(
    connection: Connection,
    models: Sequence[Model],
    k: int,
    on_progress: Progress = silent,
    method: str = "exact",
    multiply: Multiplied = OnProcessor,
    may_be_old: bool = True,
) -> dict[str, int]:
    """Fills the lists of models that have none, too short ones, or ones older than their images.

    Args:
        on_progress: called with the model's name, how many lists are filled, and of how many.
        method: `exact`, or `hnsw`: what the index finds, whose measured recall is kept with them.
        multiply: what multiplies, and where, for exact lists.
        may_be_old: a role that may only read, or a standby, goes on with what is stored.

    Returns:
        For each model whose lists were not current, how many were filled.

    Raises:
        ImgsimError: k is out of range.
    """
    if not 1 <= k <= MOST_NEIGHBOURS:
        raise ImgsimError(f"k is {k}", f"give a k from 1 to {MOST_NEIGHBOURS}")
    fill = partial(_fill, multiply=multiply) if method == "exact" else _fill_from_index
    behind = [m for m in models if not state_of(connection, m).is_current(k, method)]
    if not behind or (may_be_old and only_reads(connection)):
        return {}  # what is stored is read as it is; SQL warns where it is older than the images
    filled: dict[str, int] = {}
    for model in behind:
        with turn(connection, "imgsim.neighbour", model.model_id):
            while not (state := state_of(connection, model)).is_current(k, method):
                try:
                    done = fill(connection, model, k, state, on_progress)
                except ChangedMeanwhileError:
                    continue
                filled[model.name] = filled.get(model.name, 0) + done
                break
    return filled


def state_of(connection: Connection, model: Model) -> State:
    """Returns what a model's stored lists are true for.

    Raises:
        NotFoundError: the model was removed meanwhile.
    """
    row = connection.execute(
        """
        select m.revision, s.k, s.revision, s.recall
        from imgsim.model m
        left join imgsim.neighbour_state s using (model_id)
        where m.model_id = %s
        """,
        [model.model_id],
    ).fetchone()
    if row is None:
        raise removed_meanwhile(model)
    return State(*row)


def _fill(
    connection: Connection,
    model: Model,
    k: int,
    state: State,
    on_progress: Progress,
    multiply: Multiplied,
) -> int:
    # The vectors are read after the revision: they may be newer, and are looked at again then.
    vectors = read_vectors(connection, model)
    length = max(k, state.k or 0)
    if state.method == "hnsw":
        committed(connection, partial(_forget, connection, model, state))
    kth = _kth_of_lists(connection, model, vectors, min(length, len(vectors.ids) - 1))
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
    _replace(connection, model, block.ids, block.lists)
    _enter(connection, model, block.length, block.gained)


def _forget(connection: Connection, model: Model, state: State) -> None:
    unchanged_since(connection, model, state.revision)
    for table in ("neighbour_state", "neighbour_list"):
        connection.execute(
            sql.SQL("delete from imgsim.{} where model_id = %s").format(sql.Identifier(table)),
            [model.model_id],
        )


def _finish(connection: Connection, model: Model, length: int, state: State) -> None:
    unchanged_since(connection, model, state.revision)
    _cut(connection, model, length)
    _set_state(connection, model, length, state.revision)


def _kth_of_lists(
    connection: Connection, model: Model, vectors: Vectors, length: int
) -> npt.NDArray[np.float64]:
    """The last similarity in each image's list; minus infinity where it has no list so long."""
    kth = np.full(len(vectors.ids), -np.inf)
    rows = connection.execute(
        """
        select image_id, similarities[%(length)s]
        from imgsim.neighbour_list
        where model_id = %(model_id)s and cardinality(other_ids) >= %(length)s
        """,
        {"model_id": model.model_id, "length": max(1, length)},
    ).fetchall()
    if rows:
        ids, similarities = zip(*rows, strict=True)
        known = np.isin(ids, vectors.ids)
        kth[vectors.rows_of(np.array(ids)[known])] = np.array(similarities)[known]
    return kth


class _Gains:
    """Who belongs in the list of an image that has one already: new images that reach its last.

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
            least = np.where(np.isfinite(kth), kth, np.inf)
            compared = float(len(without)) * len(others)
            order = np.concatenate([others, without])
            self._reaching = Reaching(vectors, order, least, compared, multiply=multiply)

    def of(self, start: int, end: int) -> Found:
        """List owners (columns) and newcomers (rows), of the newcomers from `start` to `end`."""
        parts = [Found.none()]
        if self._before:
            parts += self._reaching.before(self._before + start, self._before + end)
        found = Found.joined(parts)
        order = np.lexsort((found.row_ids, -found.similarity, found.column_ids))
        return found.taken(order[places(found.column_ids[order]) <= self._length])


def _replace(
    connection: Connection, model: Model, ids: npt.NDArray[np.int64], lists: Sequence[Lists]
) -> None:
    connection.execute(
        "delete from imgsim.neighbour_list where model_id = %s and image_id = any(%s)",
        [model.model_id, ids.tolist()],
    )
    for some in lists:
        images = np.unique(some.image_ids)
        copy_columns(
            connection,
            "imgsim.neighbour_list",
            {
                "model_id": (">i2", model.model_id),
                "image_id": (">i8", images),
                "other_ids": (">i8", some.other_ids.reshape(len(images), -1)),
                "similarities": (">f8", some.similarity.reshape(len(images), -1)),
            },
        )


def _enter(connection: Connection, model: Model, length: int, gained: Found) -> None:
    """Puts newcomers into lists, each at its place; what falls off the end goes."""
    if not len(gained.row_ids):
        return
    connection.execute(
        """
        with gained as (
            select g.*
            from unnest(%(owners)s::bigint[], %(newcomers)s::bigint[], %(similarities)s::float8[])
                as g (image_id, other_id, similarity)
            join imgsim.neighbour_list l
                on l.model_id = %(model_id)s and l.image_id = g.image_id
            where g.other_id <> all(l.other_ids)
        ), ranked as (
            select c.*, row_number() over (
                partition by c.image_id order by c.similarity desc, c.other_id) as rank
            from (
                select g.* from gained g
                union all
                select n.image_id, n.other_id, n.similarity
                from imgsim.neighbour n
                where n.model_id = %(model_id)s
                    and n.image_id in (select g.image_id from gained g)
            ) c
        ), renewed as (
            select r.image_id, array_agg(r.other_id order by r.rank) as other_ids,
                array_agg(r.similarity order by r.rank) as similarities
            from ranked r
            where r.rank <= %(length)s
            group by r.image_id
        )
        update imgsim.neighbour_list l
        set other_ids = r.other_ids, similarities = r.similarities
        from renewed r
        where l.model_id = %(model_id)s and l.image_id = r.image_id
        """,
        {
            "model_id": model.model_id,
            "owners": gained.column_ids.tolist(),
            "newcomers": gained.row_ids.tolist(),
            "similarities": gained.similarity.tolist(),
            "length": length,
        },
    )


def _cut(connection: Connection, model: Model, length: int) -> None:
    """Lists that an unfinished run for a longer k left are made as long as the others."""
    connection.execute(
        """
        update imgsim.neighbour_list
        set other_ids = other_ids[:%(length)s], similarities = similarities[:%(length)s]
        where model_id = %(model_id)s and cardinality(other_ids) > %(length)s
        """,
        {"model_id": model.model_id, "length": length},
    )


def _fill_from_index(
    connection: Connection, model: Model, k: int, state: State, on_progress: Progress
) -> int:
    """All lists anew as `imgsim.similar` gives them, in one transaction."""
    ids = [
        row[0]
        for row in connection.execute(
            sql.SQL("select image_id from imgsim.{} order by image_id").format(
                sql.Identifier(model.embedding_table)
            )
        )
    ]

    def fill() -> None:
        _forget(connection, model, state)
        for start in range(0, len(ids), RECALL_SAMPLE):
            some = ids[start : start + RECALL_SAMPLE]
            connection.execute(
                """
                insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
                select %(model_id)s, q.image_id, array_agg(s.image_id order by s.rank),
                    array_agg(s.similarity order by s.rank)
                from unnest(%(ids)s::bigint[]) as q (image_id)
                cross join lateral imgsim.similar(q.image_id, %(model)s, k => %(k)s) s
                group by q.image_id
                """,
                {"model_id": model.model_id, "model": model.name, "ids": some, "k": k},
            )
            on_progress(model.name, start + len(some), len(ids))
        recall = connection.execute(
            "select recall from imgsim.recall(%s, %s, %s, array[]::integer[]) where used",
            [model.name, k, RECALL_SAMPLE],
        ).fetchone()
        _set_state(connection, model, k, state.revision, recall[0] if recall else None)

    committed(connection, fill)
    return len(ids)


def _set_state(
    connection: Connection,
    model: Model,
    k: int,
    revision: int,
    recall: float | None = None,
) -> None:
    connection.execute(
        sql.SQL(
            """
            insert into imgsim.neighbour_state (model_id, k, images, revision, recall)
            select %s, %s, count(*), %s, %s
            from imgsim.{}
            on conflict (model_id) do update
            set k = excluded.k, images = excluded.images, revision = excluded.revision,
                recall = excluded.recall, computed_at = now()
            """
        ).format(sql.Identifier(model.embedding_table)),
        [model.model_id, k, revision, recall],
    )


def forget_lists_of(connection: Connection, image_ids: Sequence[int]) -> None:
    """Drops the lists of some images, and those in which they stand, of all models."""
    ids = list(image_ids)
    connection.execute("delete from imgsim.neighbour_list where image_id = any(%s)", [ids])
    connection.execute(
        """
        delete from imgsim.neighbour_list l
        using (
            select distinct n.model_id, n.image_id
            from imgsim.neighbour n
            where n.other_id = any(%s)
        ) n
        where l.model_id = n.model_id and l.image_id = n.image_id
        """,
        [ids],
    )
