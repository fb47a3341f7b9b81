"""Tabular files as rows of text: CSV, TSV, Parquet, Excel workbooks and JSON as they are met."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from imgsim.errors import ImgsimError
from imgsim.formats import dialect, json_records, workbooks
from imgsim.formats.tallies import Tally

if TYPE_CHECKING:
    import pyarrow as pa

# How databases, R, pandas and spreadsheets write that there is no value. `none`, `Null` and `-` are
# words and marks that people write as well: those only with --missing.
NULLS = frozenset({"NULL", "null", "NaN", "nan", "None", r"\N", "<NA>", "#N/A"})
MISSING = NULLS | {"", "NA", "N/A", "n/a"}
BATCH_ROWS = 4096

# `id`, `image_id`, `ESTC ID`, `pageId`: never numbers, whatever they look like.
_ID_NAME = re.compile(r"(?:.*[^A-Za-z0-9])?(?i:ids?)|.*[a-z0-9](?:Ids?|IDs?)|[A-Z]+ID")

OTHER_FORMATS = {
    b"\xd0\xcf\x11\xe0": "an older Excel workbook (.xls), or one with a password",
    b"\x1f\x8b": "compressed with gzip",
    b"SQLite f": "an SQLite database",
    b"%PDF": "a PDF",
    b"RDX": "an R data file",
}


class Row(NamedTuple):
    """One row: its line in the file (elsewhere its number), and text or None for each column."""

    number: int
    values: tuple[str | None, ...]


@dataclass(frozen=True)
class TableFile:
    """A file whose columns are known and whose rows wait to be read.

    `columns` are unique and not blank; `notes` tell what had to be made so, and what was taken for
    granted in reading it.
    """

    path: Path
    kind: str
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    _read: Callable[[Tally], Iterator[Row]]
    _null: frozenset[str] = MISSING
    missing: Counter[str] = field(default_factory=Counter)
    _count: list[int] = field(default_factory=lambda: [0])

    @property
    def is_blank(self) -> bool:
        """Whether the rows were read, and there were none below the header."""
        return self._count == [-1]

    def rows(self, ragged: Tally) -> Iterator[Row]:
        """The rows, from the first; those whose cells do not fit the columns go to `ragged`.

        A cell that holds a spelling of "missing" is None, and counted in `missing` if not blank.
        Formats with a null of their own keep `NA`, which may be a word there.

        Raises:
            ImgsimError: the file is damaged, or no row at all fits the header.
        """
        fitted = 0
        self.missing.clear()
        for row in self._read(ragged):
            fitted += 1
            yield Row(row.number, tuple(map(self._known, row.values)))
        self._count[0] = -1 if not fitted and not ragged.count else fitted
        if ragged.count and not fitted:
            raise ImgsimError(
                f"no row of {self.path} fits its {len(self.columns)} columns: {ragged.examples[0]}",
                "see that the first line names every column (R's row names want col.names = NA)",
            )

    def _known(self, text: str | None) -> str | None:
        if text is None or (stripped := text.strip()) not in self._null:
            return text
        if stripped:
            self.missing[stripped] += 1
        return None

    def find(self, column: str) -> int | None:
        """Where a column stands: as it is written, or else whatever its case."""
        if column in self.columns:
            return self.columns.index(column)
        folded = [name.casefold() for name in self.columns]
        wanted = column.strip().casefold()
        return folded.index(wanted) if wanted in folded else None

    def position(self, column: str, hint: str = "give one of these") -> int:
        """Where a column stands.

        Raises:
            ImgsimError: it is not there; the message names the columns that are.
        """
        found = self.find(column)
        if found is None:
            names = ", ".join(self.columns)
            raise ImgsimError(f"{self.path} has no column {column}; it has: {names}", hint)
        return found


def open_table(path: Path, missing: Iterable[str] = (), sheet: str | None = None) -> TableFile:
    """Look into a file: format, encoding, delimiter and columns.

    Args:
        missing: further spellings of a missing value.
        sheet: the sheet of an Excel workbook; the first that is not blank otherwise.

    Raises:
        ImgsimError: it cannot be read, is empty, or is no table.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as exc:
        raise ImgsimError(f"cannot read {path}: {exc.strerror}", "give a file to read") from exc
    if not start:
        raise ImgsimError(f"{path} is empty", "see that it was written to its end")
    opened = _open(path, start, sheet)
    if sheet is not None and opened.kind != "Excel":
        raise ImgsimError(f"{path} has no sheets: it is {opened.kind}", "leave out --sheet")
    spelled = frozenset(text.strip() for text in missing)
    return replace(opened, _null=opened._null | spelled)


def _open(path: Path, start: bytes, sheet: str | None) -> TableFile:
    if start.startswith(b"PAR1"):
        return _open_parquet(path)
    meant = next((m for sign, m in OTHER_FORMATS.items() if start.startswith(sign)), "")
    if start.startswith(b"PK\x03\x04"):
        meant = workbooks.what_zip_is(path)
        if meant == "xlsx":
            return _open_workbook(path, sheet)
    if meant:
        raise ImgsimError(
            f"cannot read {path} as a table: it is {meant}",
            "save it as CSV (UTF-8), TSV, Parquet or .xlsx",
        )
    if path.suffix.lower() in (".parquet", ".pq"):
        raise ImgsimError(f"{path} is not Parquet", "see that it was written to its end")
    return _open_json(path) if json_records.looks_like_json(path) else _open_delimited(path)


def is_id(column: str) -> bool:
    """Whether a column's name says that it holds identifiers.

    >>> [is_id(name) for name in ("page_id", "ID", "estcId", "width", "valid")]
    [True, True, True, False, False]
    """
    return _ID_NAME.fullmatch(column.strip()) is not None


def unique_names(names: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Column names, stripped, blank ones named and repeated ones numbered; and notes on those.

    >>> unique_names(["id", "", "id"])[0]
    ('id', 'column_2', 'id_2')
    """
    unique: list[str] = []
    notes: list[str] = []
    stripped = [name.strip() for name in names]
    for number, name in enumerate(stripped, 1):
        chosen = name or f"column_{number}"
        again = 1
        while chosen in unique or (chosen != name and chosen in stripped):
            again += 1
            chosen = f"{name or f'column_{number}'}_{again}"
        if not name:
            notes.append(f"column {number} has no name: called {chosen}")
        elif chosen != name:
            notes.append(f"a second column {name}: called {chosen}")
        unique.append(chosen)
    return tuple(unique), tuple(notes)


def _open_delimited(path: Path) -> TableFile:
    found = dialect.examine(path)
    _, _, header = next(dialect.records(path, found))
    columns, name_notes = unique_names(header)
    width = len(columns)

    def rows(ragged: Tally) -> Iterator[Row]:
        stream = dialect.records(path, found)
        next(stream)
        for first, last, cells in stream:
            if len(cells) < width or any(c.strip() for c in cells[width:]):
                lines = f"line {first}" if first == last else f"lines {first} to {last}"
                ragged.add(f"{lines}: {len(cells)} cells for {width} columns")
            else:
                yield Row(first, tuple(cells[:width]))

    kind = {",": "CSV", "\t": "TSV"}.get(found.delimiter, f"CSV with {found.delimiter}")
    return TableFile(path, kind, columns, (*found.notes, *name_notes), rows)


def _open_parquet(path: Path) -> TableFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.ParquetFile(path).schema_arrow.names
    except (pa.ArrowException, OSError) as exc:
        raise _damaged(path, exc) from exc
    columns, notes = unique_names(names)

    def rows(ragged: Tally) -> Iterator[Row]:
        number = 0
        try:
            for batch in pq.ParquetFile(path).iter_batches(BATCH_ROWS):
                for values in zip(*map(_texts, batch.columns), strict=True):
                    number += 1
                    if any(value and "\0" in value for value in values):
                        raise dialect.no_text(path, f"row {number} holds a NUL character")
                    yield Row(number, values)
        except (pa.ArrowException, OSError) as exc:
            raise _damaged(path, exc) from exc

    return TableFile(path, "Parquet", columns, notes, rows, NULLS)


def _open_workbook(path: Path, wanted: str | None) -> TableFile:
    sheet = workbooks.read_sheet(path, wanted)
    if not sheet.rows:
        raise ImgsimError(
            f"{path} is empty: no cell of the sheet is filled", "give another --sheet"
        )
    (_, header), *below = sheet.rows
    # Cells that were formatted and never filled count as columns of the sheet.
    width = max(at for row in sheet.rows for at, text in enumerate(row[1], 1) if text)
    columns, notes = unique_names(name or "" for name in header[:width])

    def rows(_: Tally) -> Iterator[Row]:
        for number, cells in below:
            yield Row(number, cells[:width])

    ids = [at for at in sheet.numeric if at < width and is_id(columns[at])]
    lost = [
        f"column {columns[at]} holds ids as numbers: a workbook keeps no zeros before them"
        for at in sorted(ids)
    ]
    return TableFile(path, "Excel", columns, (*sheet.notes, *notes, *lost), rows)


def _open_json(path: Path) -> TableFile:
    kind, records = json_records.read_records(path)
    names = json_records.columns_of(records)
    columns, notes = unique_names(names)

    def rows(_: Tally) -> Iterator[Row]:
        for number, record in records:
            values = tuple(json_records.text_of(record.get(name)) for name in names)
            if any(value and "\0" in value for value in values):
                raise dialect.no_text(path, f"row {number} holds a NUL character")
            yield Row(number, values)

    return TableFile(path, kind, columns, notes, rows, NULLS)


def _damaged(path: Path, exc: Exception) -> ImgsimError:
    reason = str(exc).splitlines()[0]
    return ImgsimError(
        f"cannot read {path}: {reason}", "see that it was written and copied to its end"
    )


def _texts(column: pa.Array) -> list[str | None]:
    """A column's values as text, such as they would stand in a CSV file; null and NaN as None."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        return [
            None if v is None else json.dumps(v, ensure_ascii=False, default=str)
            for v in column.to_pylist()
        ]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), None, column)
    try:
        texts: list[str | None] = column.cast(pa.string()).to_pylist()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError):
        values = column.to_pylist()
        texts = [v.hex() if isinstance(v, bytes) else v and str(v) for v in values]
    return texts
