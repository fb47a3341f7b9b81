"""Reads a model's vectors from the store into an array."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.networks.models import Model
from imgsim.similarity.comparison.vectors import Vectors, vectors_of

if TYPE_CHECKING:
    import numpy.typing as npt

COPY_HEADER = 19
"""Bytes before the first row of PostgreSQL's binary COPY: signature, flags, no extension."""

READ_BYTES = 1 << 23
"""How many bytes are collected before rows are taken out of them."""


def read_vectors(connection: Connection, model: Model) -> Vectors:
    """Returns all vectors of a model, read by binary COPY; 4 bytes of memory a number."""
    table = sql.Identifier(model.embedding_table)
    found = connection.execute(sql.SQL("select count(*) from imgsim.{}").format(table)).fetchone()
    ids = np.empty(found[0] if found else 0, np.int64)
    values = np.empty((len(ids), model.dimension), np.float32)
    count = 0
    for rows in _rows(connection, table, model.dimension):
        if count + len(rows) > len(ids):  # stored since they were counted
            ids = np.concatenate([ids[:count], np.empty(len(rows), np.int64)])
            more = np.empty((len(rows), model.dimension), np.float32)
            values = np.concatenate([values[:count], more])
        ids[count : count + len(rows)] = rows["id"]
        values[count : count + len(rows)] = rows["values"]
        count += len(rows)
    return vectors_of(ids[:count], values[:count])


def _rows(
    connection: Connection, table: sql.Identifier, dimension: int
) -> Iterator[npt.NDArray[np.void]]:
    """Yields the rows of a table of vectors in the layout of binary COPY, some at a time."""
    row = np.dtype(
        [
            ("columns", ">i2"),
            ("id_length", ">i4"),
            ("id", ">i8"),
            ("vector_length", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("values", ">f2", (dimension,)),
        ]
    )
    # By id: every array of this model is then in one order, and a row is found by bisection.
    query = sql.SQL(
        "copy (select image_id, embedding from imgsim.{} order by image_id) "
        "to stdout (format binary)"
    ).format(table)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        waiting = bytearray()
        skip = COPY_HEADER
        for data in copy:
            waiting += data
            if len(waiting) >= READ_BYTES:
                whole = (len(waiting) - skip) // row.itemsize
                yield np.frombuffer(bytes(waiting), row, whole, skip)
                del waiting[: skip + whole * row.itemsize]
                skip = 0
        yield np.frombuffer(bytes(waiting), row, (len(waiting) - skip) // row.itemsize, skip)
