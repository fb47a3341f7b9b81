"""The vectors of a model as an array, and their exact cosines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from psycopg import sql

from imgsim.database.connection import Connection
from imgsim.networks.models import Model

if TYPE_CHECKING:
    import numpy.typing as npt

DECIMALS = 7
"""Similarities are kept with so many decimals: equal ones are equal, and rank by id."""

COPY_HEADER = 19
READ_BYTES = 1 << 23
PAIRS_AT_ONCE = 128
COLUMNS_AT_ONCE = 4096
DENSE_SHARE = 0.02


@dataclass(frozen=True)
class Vectors:
    """The vectors of a model: `ids` (n,) int64 ascending, `values` (n, dimension) float32.

    The values are those stored, half-precision numbers, of which single precision holds each one
    exactly; `lengths` (n,) float64 are near 1.
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
        """Some of the vectors, brought to length 1 again."""
        vectors = self.values[rows].astype(dtype)
        vectors /= self.lengths[rows, None].astype(dtype)
        return vectors

    def rows_of(self, image_ids: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Where images stand, which all have a vector."""
        return np.searchsorted(self.ids, np.asarray(image_ids, np.int64))

    def cosines(
        self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]
    ) -> npt.NDArray[np.float64]:
        """Cosines of the vectors `rows[i]` and `columns[i]`, rounded to seven decimals.

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
    """Vectors with their lengths."""
    squares = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    return Vectors(ids, values, np.sqrt(squares))


def read_vectors(connection: Connection, model: Model) -> Vectors:
    """Read all vectors of a model, by binary COPY; 4 bytes of memory a number."""
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
    """Rows of an embedding table in the layout of PostgreSQL's binary COPY, some at a time."""
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
