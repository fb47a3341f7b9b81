"""Exact neighbour lists: the k nearest of every image, by blocked matrix products."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.models import Model

if TYPE_CHECKING:
    import numpy.typing as npt

ROW_BLOCK = 512
GROUP = 16
COPY_HEADER = 19
COPY_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_END = b"\xff\xff"
DENSE_SHARE = 0.02
DECIMALS = 7
MOST_NEIGHBOURS = 1000


Progress = Callable[[str, int, int], None]
"""Told of what, how many are done, and of how many."""


def silent(what: str, done: int, of: int) -> None:
    """No progress is shown."""


@dataclass(frozen=True)
class Vectors:
    """The vectors of a model: `ids` (n,) int64 ascending, `halves` (n, dimension) float16."""

    ids: npt.NDArray[np.int64]
    halves: npt.NDArray[np.float16]

    def unit(
        self, rows: npt.NDArray[np.intp] | slice, dtype: npt.DTypeLike
    ) -> npt.NDArray[np.floating]:
        """Some of the vectors as they are stored, brought to length 1 again."""
        vectors = self.halves[rows].astype(dtype)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / lengths)


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


def read_vectors(connection: Connection, model: Model) -> Vectors:
    """Read all vectors of a model, by binary COPY."""
    row = np.dtype(
        [
            ("columns", ">i2"),
            ("id_length", ">i4"),
            ("id", ">i8"),
            ("vector_length", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("values", ">f2", (model.dimension,)),
        ]
    )
    query = sql.SQL(
        "copy (select image_id, embedding from imgsim.{} order by image_id) "
        "to stdout (format binary)"
    ).format(sql.Identifier(model.embedding_table))
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        data = b"".join(copy)
    rows = np.frombuffer(data, row, (len(data) - COPY_HEADER - 2) // row.itemsize, COPY_HEADER)
    return Vectors(rows["id"].astype(np.int64), rows["values"].astype(np.float16))


def nearest(
    vectors: Vectors,
    k: int,
    rows: npt.NDArray[np.intp] | None = None,
    documents: npt.NDArray[np.int64] | None = None,
) -> Iterator[Lists]:
    """The k nearest of the images in `rows` (of all, if None), block by block, exactly.

    `documents`, a number for each vector, keeps images of one document out of each other's lists;
    a negative number is no document.

    A product in single precision proposes, double precision decides. The product of two unit
    vectors of d single-precision values is off by at most d * u, u = 2^-24 (Higham, Accuracy and
    Stability of Numerical Algorithms, 3.1), so whatever can be among the first k scores at least
    the k-th value found less twice that: all of these are compared again. Equal similarities are
    ranked by id, and nobody is in its own list.
    """
    if rows is None:
        rows = np.arange(len(vectors.ids))
    count = len(vectors.ids)
    kept = min(k, count - 1)
    if kept < 1:
        return
    margin = 2 * (vectors.halves.shape[1] + 4) * 2.0**-24
    columns = vectors.unit(slice(None), np.float32)
    padding = np.zeros((-count % GROUP, columns.shape[1]), np.float32)
    padded = np.concatenate([columns, padding]).T
    for start in range(0, len(rows), ROW_BLOCK):
        block = rows[start : start + ROW_BLOCK]
        proposed = columns[block] @ padded
        proposed[:, count:] = -np.inf
        proposed[np.arange(len(block)), block] = -np.inf
        if documents is not None:
            own = documents[block][:, None]
            proposed[:, :count][(own == documents) & (own >= 0)] = -np.inf
        row, column = _candidates(proposed, kept, margin)
        yield _ranked(vectors, block, row, column, kept)


def _candidates(
    proposed: npt.NDArray[np.float32], kept: int, margin: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows (ascending) and columns of all that may be among the `kept` largest of their row.

    The columns are taken in groups of 16. The k-th largest of the groups' greatest is no larger
    than the k-th largest of all, so a bound from it loses nothing, and sixteen times fewer numbers
    have to be partitioned; only groups that reach it are looked into.
    """
    groups = proposed.reshape(len(proposed), GROUP, -1)  # group g: columns g, g + n/16, …
    greatest = groups.max(axis=1)
    members = greatest.shape[1]
    if kept <= members:
        kth = np.partition(greatest, -kept, axis=1)[:, -kept]
    else:
        kth = np.partition(proposed, -kept, axis=1)[:, -kept]
    least = kth - margin
    row, group = np.nonzero((greatest >= least[:, None]) & (greatest > -np.inf))
    values = groups[row, :, group]
    pair, place = np.nonzero((values >= least[row][:, None]) & (values > -np.inf))
    return row[pair], group[pair] + place * members


def _ranked(
    vectors: Vectors,
    block: npt.NDArray[np.intp],
    row: npt.NDArray[np.intp],
    column: npt.NDArray[np.intp],
    kept: int,
) -> Lists:
    similarity = np.round(cosines(vectors, block[row], column), DECIMALS)
    # np.lexsort sorts by its last key first; columns ascend as ids do.
    order = np.lexsort((column, -similarity, row))
    first = np.searchsorted(row, np.arange(len(block)))
    rank = np.arange(len(row)) - first[row] + 1
    chosen = order[rank <= kept]
    return Lists(
        vectors.ids[block[row[chosen]]],
        rank[rank <= kept],
        vectors.ids[column[chosen]],
        similarity[chosen],
    )


def cosines(
    vectors: Vectors, row: npt.NDArray[np.intp], column: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """Cosines of the vectors `row[i]` and `column[i]`, in double precision."""
    rows, own = np.unique(row, return_inverse=True)
    left = vectors.unit(rows, np.float64)
    columns, other = np.unique(column, return_inverse=True)
    if len(row) > DENSE_SHARE * len(rows) * len(columns):
        # One product is cheaper than so many pairs.
        return np.asarray((left @ vectors.unit(columns, np.float64).T)[own, other])
    result = np.empty(len(row))
    step = 1 << 13
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        right = vectors.unit(column[part], np.float64)
        result[part] = np.einsum("ij,ij->i", left[own[part]], right)
    return result


@contextmanager
def alone(connection: Connection, table: str, model: Model) -> Iterator[None]:
    """A transaction that only one process at a time is in, for a table and a model.

    Two at once would do the same work: the second waits, and finds it done.
    """
    with connection.transaction():
        connection.execute(
            "select pg_advisory_xact_lock(hashtext(%s), %s)", [table, model.model_id]
        )
        yield


def copy_columns(
    connection: Connection, table: str, columns: Mapping[str, tuple[str, npt.ArrayLike]]
) -> None:
    """Add rows to a table by binary COPY.

    Args:
        columns: for each column of the table its big-endian type (such as `>i8`) and its values,
            or one value for all rows.
    """
    count = max(np.size(values) for _, values in columns.values())
    # PostgreSQL's binary COPY: the number of columns, then each one's length and value.
    layout = [("count", ">i2")]
    for name, (kind, _) in columns.items():
        layout += [(f"{name} length", ">i4"), (name, kind)]
    rows = np.zeros(count, np.dtype(layout))
    rows["count"] = len(columns)
    for name, (_, values) in columns.items():
        rows[name] = values
        rows[f"{name} length"] = rows.dtype[name].itemsize
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(COPY_SIGNATURE + rows.tobytes() + COPY_END)


def bring_up_to_date(
    connection: Connection,
    models: Sequence[Model],
    k: int,
    on_progress: Progress = silent,
) -> dict[str, int]:
    """Fill the lists of models that have none, too short ones, or ones older than their images.

    Args:
        on_progress: called with the model's name, how many images are done, and of how many.

    Returns:
        For each model whose lists were filled, how many images it has.

    Raises:
        ImgsimError: k is out of range.
    """
    if not 1 <= k <= MOST_NEIGHBOURS:
        raise ImgsimError(f"k is {k}", f"give a k from 1 to {MOST_NEIGHBOURS}")
    filled: dict[str, int] = {}
    for model in models:
        with alone(connection, "imgsim.neighbour", model):
            revision, stored_k = _state(connection, model)
            if stored_k is not None and stored_k >= k:
                continue
            filled[model.name] = _fill(connection, model, k, revision, on_progress)
    return filled


def _state(connection: Connection, model: Model) -> tuple[int, int | None]:
    """A model's revision, and the k its lists hold if they are of that revision."""
    row = connection.execute(
        """
        select m.revision, s.k
        from imgsim.model m
        left join imgsim.neighbour_state s
            on s.model_id = m.model_id and s.revision = m.revision
        where m.model_id = %s
        """,
        [model.model_id],
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _fill(
    connection: Connection,
    model: Model,
    k: int,
    revision: int,
    on_progress: Progress,
) -> int:
    vectors = read_vectors(connection, model)
    total = len(vectors.ids)
    connection.execute("delete from imgsim.neighbour where model_id = %s", [model.model_id])
    done = 0
    for lists in nearest(vectors, k):
        copy_lists(connection, model, lists)
        done = min(total, done + ROW_BLOCK)
        on_progress(model.name, done, total)
    _set_state(connection, model, k, revision)
    return total


def copy_lists(
    connection: Connection, model: Model, lists: Lists, table: str = "imgsim.neighbour"
) -> None:
    """Add lists to `imgsim.neighbour`, or to another table of its columns."""
    if not len(lists.image_ids):
        return
    copy_columns(
        connection,
        table,
        {
            "model_id": (">i2", model.model_id),
            "image_id": (">i8", lists.image_ids),
            "rank": (">i2", lists.ranks),
            "other_id": (">i8", lists.other_ids),
            "similarity": (">f8", lists.similarity),
        },
    )


def _set_state(connection: Connection, model: Model, k: int, revision: int) -> None:
    connection.execute(
        sql.SQL(
            """
            insert into imgsim.neighbour_state (model_id, k, images, revision)
            select %s, %s, count(*), %s
            from imgsim.{}
            on conflict (model_id) do update
            set k = excluded.k, images = excluded.images, revision = excluded.revision,
                computed_at = now()
            """
        ).format(sql.Identifier(model.embedding_table)),
        [model.model_id, k, revision],
    )


def lists_naming(connection: Connection, model: Model, image_ids: Sequence[int]) -> list[int]:
    """The images whose stored lists name one of these, but not these themselves."""
    rows = connection.execute(
        """
        select distinct n.image_id
        from imgsim.neighbour n
        where n.model_id = %(model)s
            and n.other_id = any(%(ids)s)
            and n.image_id <> all(%(ids)s)
        order by n.image_id
        """,
        {"model": model.model_id, "ids": list(image_ids)},
    )
    return [row[0] for row in rows]


def mend(connection: Connection, model: Model, image_ids: Sequence[int]) -> None:
    """After images were removed: fill again the lists that named them.

    Lists that were up to date before stay so; the model's revision grows, for its vectors changed.
    """
    revision, k = _state(connection, model)
    connection.execute(
        "update imgsim.model set revision = revision + 1 where model_id = %s", [model.model_id]
    )
    if k is None:
        return
    if image_ids:
        vectors = read_vectors(connection, model)
        rows = np.searchsorted(vectors.ids, np.asarray(image_ids))
        connection.execute(
            "delete from imgsim.neighbour where model_id = %s and image_id = any(%s)",
            [model.model_id, list(image_ids)],
        )
        for lists in nearest(vectors, k, rows):
            copy_lists(connection, model, lists)
    _set_state(connection, model, k, revision + 1)
