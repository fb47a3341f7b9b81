"""Arrays into tables, by PostgreSQL's binary COPY."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from imgsim.database.connection import Connection

if TYPE_CHECKING:
    import numpy.typing as npt

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
ELEMENT_TYPES = {">i8": 20, ">f8": 701}
"""The object ids of bigint and double precision."""


def copy_columns(
    connection: Connection, table: str, columns: Mapping[str, tuple[str, npt.ArrayLike]]
) -> None:
    """Adds rows to a table.

    Args:
        columns: for each column of the table its big-endian type (such as `>i8`) and its values:
            one for each row, (n,), or one for all; (n, m) fill a column of arrays, m long each.
    """
    values = {name: np.asarray(given) for name, (_, given) in columns.items()}
    count = max(len(each) for each in values.values() if each.ndim)
    # The number of columns, then each one's length in bytes and its value.
    layout: list[tuple[str, object]] = [("count", ">i2")]
    for name, (kind, _) in columns.items():
        layout += [(f"{name} length", ">i4"), (name, _cell(kind, values[name]))]
    # The rows as COPY reads them, laid out in memory at once.
    rows = np.zeros(count, np.dtype(layout))
    rows["count"] = len(columns)
    for name, (kind, _) in columns.items():
        rows[f"{name} length"] = rows.dtype[name].itemsize
        if values[name].ndim == 2:
            _fill_arrays(rows[name], kind, values[name])
        else:
            rows[name] = values[name]
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.write(SIGNATURE + rows.tobytes() + END)


def _cell(kind: str, values: npt.NDArray[np.generic]) -> object:
    if values.ndim < 2:
        return kind
    elements = np.dtype([("length", ">i4"), ("value", kind)])
    header = ("dimensions", "nulls", "type", "size", "first")
    return np.dtype([*((part, ">i4") for part in header), ("elements", elements, values.shape[1:])])


def _fill_arrays(cells: npt.NDArray[np.void], kind: str, values: npt.NDArray[np.generic]) -> None:
    cells["dimensions"] = 1
    cells["type"] = ELEMENT_TYPES[kind]
    cells["size"] = values.shape[1]
    cells["first"] = 1
    cells["elements"]["length"] = np.dtype(kind).itemsize
    cells["elements"]["value"] = values
