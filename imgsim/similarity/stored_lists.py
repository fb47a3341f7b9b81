"""The rows of neighbour lists: what they are true for, read, replaced, added to and dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.database.copying import copy_columns
from imgsim.networks.models import Model
from imgsim.similarity.comparison.nearest import Lists
from imgsim.similarity.comparison.reaching import Found
from imgsim.similarity.comparison.vectors import Vectors
from imgsim.similarity.revisions import removed_meanwhile, unchanged_since

if TYPE_CHECKING:
    import numpy.typing as npt


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
        """Returns how the lists were filled: `exact` or `hnsw`."""
        return "exact" if self.recall is None else "hnsw"

    def is_current(self, k: int, method: str) -> bool:
        """Returns whether lists are those of the vectors, long enough, and exact if requested."""
        exact_enough = method == "hnsw" or self.method == "exact"
        return self.of_revision == self.revision and (self.k or 0) >= k and exact_enough


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


def last_similarities(
    connection: Connection, model: Model, vectors: Vectors, length: int
) -> npt.NDArray[np.float64]:
    """Returns the last similarity in each image's list; minus infinity if no list is so long."""
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


def replace(
    connection: Connection, model: Model, ids: npt.NDArray[np.int64], lists: Sequence[Lists]
) -> None:
    """Stores new lists of some images in place of those they have."""
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


def enter(connection: Connection, model: Model, length: int, gained: Found) -> None:
    """Puts newcomers into stored lists, each at its place; what falls off the end is dropped."""
    if not len(gained.row_ids):
        return
    connection.execute(
        """
        -- Lists that an unfinished run has filled hold them already.
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


def cut(connection: Connection, model: Model, length: int) -> None:
    """Shortens lists that an unfinished run for a longer k left to the length of the others."""
    connection.execute(
        """
        update imgsim.neighbour_list
        set other_ids = other_ids[:%(length)s], similarities = similarities[:%(length)s]
        where model_id = %(model_id)s and cardinality(other_ids) > %(length)s
        """,
        {"model_id": model.model_id, "length": length},
    )


def set_state(
    connection: Connection,
    model: Model,
    k: int,
    revision: int,
    recall: float | None = None,
) -> None:
    """Records which vectors the lists are true for, of what length, and how exact."""
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


def forget_all(connection: Connection, model: Model, state: State) -> None:
    """Drops all lists of a model, and what they were true for."""
    unchanged_since(connection, model, state.revision)
    for table in ("neighbour_state", "neighbour_list"):
        connection.execute(
            sql.SQL("delete from imgsim.{} where model_id = %s").format(sql.Identifier(table)),
            [model.model_id],
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
