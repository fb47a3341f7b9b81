"""The books: a table of them read into `imgsim.ecco_document`, and how far it covers the images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import sql

from imgsim.bibliography import identifiers
from imgsim.bibliography.headings import known_columns
from imgsim.bibliography.identifiers import DOCUMENT_COLUMNS, NUMBER_COLUMNS, YEAR_COLUMNS
from imgsim.database.connection import Connection, Table, table
from imgsim.formats.reading import MISSING, Row, TableFile, open_table
from imgsim.formats.tallies import Tally, tally, total

KEY = "ecco_id"
ORIGINAL = "_original"
UNREAD = "_unread"


@dataclass
class Findings:
    """What was met in reading the rows of a file; each tally with its first examples."""

    padded: Tally = tally("ECCO id", "padded to ten digits (zeros were lost)")
    shortened: Tally = tally("ESTC id", "shortened; the original is in extra")
    unusable: Tally = tally("row", "skipped: no usable ecco_id")
    ragged: Tally = field(default_factory=Tally)
    unknown_estc: Tally = tally("ESTC id", "of an unknown form, kept unchanged")
    unread: Tally = tally("value", "kept in extra: not a number")
    inexact: Tally = tally("year", "read from another form; the original is in extra")


@dataclass(frozen=True)
class Loaded:
    """What came of one file.

    `new` and `updated` count documents, `merged` rows that repeat an earlier one; `conflicts` are
    the values of such rows that contradict it, and are not kept. `spared` are stored values that an
    unreadable one of the file did not replace, `blanked` those that a blank cell did.
    """

    file: TableFile
    findings: Findings
    new: int
    updated: int
    merged: int
    conflicts: Tally
    spared: Tally
    blanked: Tally
    columns: Columns

    @property
    def refused(self) -> int:
        """How many rows are not in the bibliography now."""
        return total((self.findings.unusable, self.findings.ragged))


def load(
    connection: Connection, path: Path, *, missing: Sequence[str] = (), sheet: str | None = None
) -> Loaded:
    """Read a table of books into `imgsim.ecco_document`.

    Documents that are there already get the values of the columns that this file has, except that
    an unreadable value never replaces a readable one. Columns that are not ECCO's go into `extra`.
    One transaction: the whole file, or nothing of it.

    Args:
        missing: further spellings of a missing value.
        sheet: the sheet of an Excel workbook.

    Raises:
        ImgsimError: it cannot be read, or has no column `ecco_id`.
    """
    file = open_table(path, missing, sheet)
    columns = Columns(file)
    if KEY not in columns.known:
        file.position(KEY, "rename the column that holds the ECCO document's id to ecco_id")
    findings = Findings()
    with connection.transaction():
        connection.execute(STAGING)
        rows = _stage(connection, file, columns, findings)
        connection.execute("analyze pg_temp.metadata_row")
        conflicts = _conflicts(connection, columns)
        spared = _spare(connection, columns)
        blanked = _blanked(connection, columns)
        new, updated = _upsert(connection, columns)
        connection.execute("drop table pg_temp.metadata_row")
    merged = rows - new - updated
    return Loaded(file, findings, new, updated, merged, conflicts, spared, blanked, columns)


def coverage(connection: Connection) -> Table:
    """Images with and without a document, documents without images, an example of each."""
    return table(connection, "select * from imgsim.coverage", {})


class Columns:
    """Which of a file's columns are ECCO's, and which are further ones."""

    def __init__(self, file: TableFile) -> None:
        self.known = known_columns(file.columns)
        taken = set(self.known.values())
        self.further = {name: at for at, name in enumerate(file.columns) if at not in taken}
        self.renamed = {
            file.columns[at]: column
            for column, at in self.known.items()
            if file.columns[at] != column
        }
        self.lacking = [column for column in DOCUMENT_COLUMNS if column not in self.known]

    def document(self, row: Row, findings: Findings) -> list[object] | None:
        """A row as the columns of `imgsim.ecco_document`; None, and noted, without a usable id."""
        given = {column: (row.values[at] or "").strip() for column, at in self.known.items()}
        ecco_id = identifiers.ecco_id(given[KEY])
        if ecco_id is None:
            findings.unusable.add(f"line {row.number}: {given[KEY] or 'blank'}")
            return None
        if identifiers.lost_zeros(given[KEY]):
            findings.padded.add(f"{given[KEY]} is {ecco_id}")
        extra = {name: row.values[at] for name, at in self.further.items()}
        extra = {name: text for name, text in extra.items() if not _is_missing(text)}
        values: dict[str, object] = {KEY: ecco_id}
        for column in DOCUMENT_COLUMNS[1:]:
            text = "" if _is_missing(given.get(column)) else given[column]
            value = _value(column, text, f"line {row.number}", findings)
            if text and value != text and _tells_more(column, text, value):
                extra[column + ORIGINAL] = text
                if column in YEAR_COLUMNS and value is not None:
                    findings.inexact.add(f"line {row.number}: {text} is {value}")
            values[column] = value
        return [row.number, *values.values(), json.dumps(extra, ensure_ascii=False)]


def _tells_more(column: str, text: str, value: str | int | None) -> bool:
    """Whether the text says what the value does not, and is to be kept."""
    if column in YEAR_COLUMNS and value is not None:
        return not identifiers.is_plain_year(text)
    return column == "estc_id" or value is None


def _is_missing(text: str | None) -> bool:
    # Parquet has nulls of its own, so only here is its `NA` taken for one.
    return text is None or text.strip() in MISSING


def _value(column: str, text: str, where: str, findings: Findings) -> str | int | None:
    """A cell as its column holds it; what could not be read is noted."""
    if not text:
        return None
    if column == "estc_id":
        short = identifiers.estc_id(text)
        if short is None:
            findings.unknown_estc.add(f"{where}: {text}")
        elif short != text:
            findings.shortened.add(f"{text} is {short}")
        return short or text
    if column not in NUMBER_COLUMNS:
        return text
    reading = identifiers.year if column in YEAR_COLUMNS else identifiers.whole_number
    number = reading(text)
    if number is None:
        findings.unread.add(f"{where}: {column} {text}")
    return number


# Rows are staged first, so that duplicates are found by the database, not held in memory here.
STAGING = f"""
create temporary table metadata_row (
    line bigint not null,
    {", ".join(f"{c} {'integer' if c in NUMBER_COLUMNS else 'text'}" for c in DOCUMENT_COLUMNS)},
    extra jsonb not null
)
"""

CONFLICTS = """
with repeated as (
    select r.*
    from pg_temp.metadata_row r
    where r.ecco_id in (
        select ecco_id from pg_temp.metadata_row group by ecco_id having count(*) > 1
    )
)
select
    r.ecco_id,
    v.column_name,
    (array_agg(v.value order by r.line))[1],
    array_agg(distinct v.value)
from repeated r
cross join lateral jsonb_each_text(
    (to_jsonb(r) - array['line', 'ecco_id', 'extra']) || r.extra
) as v (column_name, value)
where v.value is not null
    and v.column_name <> 'estc_id_original'
group by r.ecco_id, v.column_name
having count(distinct v.value) > 1
order by r.ecco_id, v.column_name
"""


def _stage(connection: Connection, file: TableFile, columns: Columns, findings: Findings) -> int:
    """Copy the usable rows into the staging table; how many."""
    staged = 0
    with connection.cursor().copy("copy pg_temp.metadata_row from stdin") as copy:
        for row in file.rows(findings.ragged):
            document = columns.document(row, findings)
            if document:
                copy.write_row(document)
                staged += 1
    return staged


# Which staged values could not be read, by column: `r` the staged row, `d` the stored document.
UNREADABLE = """
r.{column} is null
and r.extra ? '{column}_original'
and d.{column} is not null
and not exists (
    select from pg_temp.metadata_row o where o.ecco_id = r.ecco_id and o.{column} is not null
)
"""
UNREADABLE_ESTC = """
r.estc_id !~ '^[A-Z][1-9][0-9]*$'
and d.estc_id ~ '^[A-Z][1-9][0-9]*$'
and not exists (
    select from pg_temp.metadata_row o
    where o.ecco_id = r.ecco_id and o.estc_id ~ '^[A-Z][1-9][0-9]*$'
)
"""

# The stored value and its original stay; what the file has instead is kept beside them.
SPARE = """
update pg_temp.metadata_row r
set {column} = d.{column},
    extra = (r.extra - '{column}_original')
        || jsonb_build_object('{column}_unread',
            coalesce({staged}, r.extra ->> '{column}_original'))
        || jsonb_strip_nulls(
            jsonb_build_object('{column}_original', d.extra ->> '{column}_original')
        )
from imgsim.ecco_document d
where d.ecco_id = r.ecco_id and {unreadable}
returning r.line, r.ecco_id, d.{column}::text, r.extra ->> '{column}_unread'
"""

BLANKED = """
select d.ecco_id, d.{column}::text
from imgsim.ecco_document d
join (
    select ecco_id from pg_temp.metadata_row group by ecco_id having count({column}) = 0
) r using (ecco_id)
where d.{column} is not null
order by d.ecco_id
"""


def _spare(connection: Connection, columns: Columns) -> Tally:
    """Keeps the stored value where the file's cannot be read, and returns which were kept."""
    spared = Tally("stored value", "kept: the file's value cannot be read")
    for column in DOCUMENT_COLUMNS:
        if column not in columns.known or (column not in NUMBER_COLUMNS and column != "estc_id"):
            continue
        is_estc = column == "estc_id"
        statement = SPARE.format(
            column=column,
            staged="r.estc_id" if is_estc else "null",
            unreadable=(UNREADABLE_ESTC if is_estc else UNREADABLE).format(column=column),
        )
        for line, ecco_id, kept, unread in connection.execute(statement.encode()):
            spared.add(f"line {line}: {ecco_id} {column}: {kept} kept, not {unread}")
    return spared


def _blanked(connection: Connection, columns: Columns) -> Tally:
    """Returns which stored values a blank cell is about to replace."""
    blanked = Tally("stored value", "replaced by a blank cell")
    for column in columns.known:
        if column != KEY:
            for ecco_id, value in connection.execute(BLANKED.format(column=column).encode()):
                blanked.add(f"{ecco_id} {column}: {value}")
    return blanked


def _upsert(connection: Connection, columns: Columns) -> tuple[int, int]:
    """Merge the staged rows by id and write them; how many documents are new, how many not."""
    counted = connection.execute(
        """
        select count(distinct r.ecco_id), count(distinct d.ecco_id)
        from pg_temp.metadata_row r
        left join imgsim.ecco_document d using (ecco_id)
        """
    ).fetchone()
    assert counted is not None
    present = [column for column in columns.known if column != KEY]
    # A column that went to `extra` under another name, before imgsim knew the name, leaves it now.
    gone = [*columns.further, *columns.renamed]
    gone += [column + ending for column in present for ending in (ORIGINAL, UNREAD)]
    connection.execute(_upsert_statement(present), {"gone": gone})
    return counted[0] - counted[1], counted[1]


def _upsert_statement(present: Sequence[str]) -> sql.Composed:
    """Of rows with one id, the first value of each column that is not missing counts."""
    names = [sql.Identifier(column) for column in present]
    first = "(array_agg({0} order by line) filter (where {0} is not null))[1]"
    return sql.SQL(
        """
        with further as (
            select r.ecco_id, jsonb_object_agg(e.key, e.value order by r.line desc) as extra
            from pg_temp.metadata_row r
            cross join lateral jsonb_each(r.extra) e
            group by r.ecco_id
        ), document as (
            select {firsts}
            from pg_temp.metadata_row
            group by ecco_id
        )
        insert into imgsim.ecco_document as d ({names})
        select {names}
        from (
            select m.*, coalesce(f.extra, '{{}}') as extra
            from document m
            left join further f using (ecco_id)
        ) merged
        order by ecco_id
        on conflict (ecco_id) do update
        set {assignments}
        """
    ).format(
        firsts=sql.SQL(", ").join(
            [sql.Identifier(KEY), *(sql.SQL(f"{first} as {{0}}").format(name) for name in names)]
        ),
        names=sql.SQL(", ").join([sql.Identifier(KEY), *names, sql.Identifier("extra")]),
        assignments=sql.SQL(", ").join(
            [
                *(sql.SQL("{0} = excluded.{0}").format(name) for name in names),
                sql.SQL("extra = (d.extra - %(gone)s::text[]) || excluded.extra"),
            ]
        ),
    )


def _conflicts(connection: Connection, columns: Columns) -> Tally:
    """Returns where rows with one id contradict each other, and which value is kept."""
    conflicts = Tally("value", "ignored: an earlier row has another")
    headings = {column: heading for heading, column in columns.renamed.items()}
    for ecco_id, name, kept, values in connection.execute(CONFLICTS):
        column = headings.get(name.removesuffix(ORIGINAL), name)
        others = ", ".join(value for value in values if value != kept)
        conflicts.add(f"{ecco_id} {column}: {kept} kept, not {others}")
    return conflicts
