"""Writes tables, row by row, as CSV, TSV and Parquet."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgsim.formats.columns import Column, Row, as_text, harmless, with_text

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 20_000
VALUES_AT_ONCE = 2_000_000
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class ForSpreadsheets:
    """What a program that takes a double click needs of a CSV file.

    `bom` begins it with a byte order mark, by which Excel sees that it is UTF-8. `safe` keeps text
    from being taken for a formula (`columns.harmless`).
    """

    bom: bool = False
    safe: bool = False


PLAIN = ForSpreadsheets()


def write_delimited(
    file: Path,
    columns: Sequence[Column],
    rows: Iterable[Row],
    delimiter: str = ",",
    look: ForSpreadsheets = PLAIN,
) -> None:
    """Writes CSV as RFC 4180 has it (UTF-8), or TSV with a tab as `delimiter`.

    A missing value is an empty field.
    """
    with delimited(file, columns, delimiter, look) as write_row:
        for row in with_text(columns, rows):
            write_row(row)


@contextmanager
def delimited(
    file: Path,
    columns: Sequence[Column],
    delimiter: str = ",",
    look: ForSpreadsheets = PLAIN,
) -> Iterator[Callable[[Row], object]]:
    """Yields a function that writes one row of text and numbers into a CSV file with a header."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        opened.write(BYTE_ORDER_MARK if look.bom else "")
        writer = csv.writer(opened, delimiter=delimiter)

        def write_row(row: Row) -> None:
            writer.writerow(map(harmless, row) if look.safe else row)

        write_row([column.name for column in columns])
        yield write_row


def write_parquet(
    file: Path, columns: Sequence[Column], rows: Iterable[Row], vector: str = "", dimension: int = 0
) -> None:
    """Writes Parquet, in row groups of bounded size.

    Text stays string and whole numbers int64, also where some are missing: pandas reads them as
    `string` and `Int64`. The column `vector`, if named, comes after `columns` and holds `dimension`
    single-precision values a row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    fields = [pa.field(column.name, _arrow_type(column)) for column in columns]
    if vector:
        fields.append(pa.field(vector, pa.list_(pa.float32(), dimension)))
    schema = pa.schema(fields, metadata={"pandas": json.dumps(_pandas(columns, vector))})
    texts = {index for index, column in enumerate(columns) if column.type == "object"}
    # A row group is held in memory whole: rows of 2,048 numbers go in by the thousand.
    at_once = max(1, min(ROWS_AT_ONCE, VALUES_AT_ONCE // (dimension or 1)))
    source = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while batch := list(itertools.islice(source, at_once)):
            arrays = []
            for index, values in enumerate(zip(*batch, strict=True)):
                plain = map(as_text, values) if index in texts else values
                arrays.append(_array(plain, fields[index].type))
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _array(values: Iterable[Any], type_: pa.DataType) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if pa.types.is_fixed_size_list(type_):
        flat = np.concatenate(list(values), dtype=np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(flat), type=type_)
    return pa.array(list(values), type_)


def _arrow_type(column: Column) -> pa.DataType:
    import pyarrow as pa

    types = {
        "string": pa.string(),
        "integer": pa.int64(),
        "number": pa.float64(),
        "boolean": pa.bool_(),
        "datetime": pa.timestamp("us", "UTC"),
        "object": pa.string(),
    }
    return types[column.type]


def _pandas(columns: Sequence[Column], vector: str) -> dict[str, object]:
    """Returns what pandas looks for in the file to choose types that allow missing values."""
    types = {
        "string": ("unicode", "string"),
        "object": ("unicode", "string"),
        "integer": ("int64", "Int64"),
        "boolean": ("bool", "boolean"),
        "number": ("float64", "float64"),
        "datetime": ("datetimetz", "datetime64[us, UTC]"),
    }
    described: list[dict[str, object]] = [
        {
            "name": column.name,
            "field_name": column.name,
            "pandas_type": types[column.type][0],
            "numpy_type": types[column.type][1],
            "metadata": {"timezone": "UTC"} if column.type == "datetime" else None,
        }
        for column in columns
    ]
    if vector:
        described.append(
            {
                "name": vector,
                "field_name": vector,
                "pandas_type": "list[float32]",
                "numpy_type": "object",
                "metadata": None,
            }
        )
    return {"index_columns": [], "column_indexes": [], "columns": described, "creator": {}}
