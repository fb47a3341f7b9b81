"""The books: a table of them read into `imgsim.ecco_document`, and how far it covers the images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from imgsim.bibliography.book_rows import KEY, ORIGINAL, UNREAD, Columns, Findings
from imgsim.bibliography.identifiers import DOCUMENT_COLUMNS, NUMBER_COLUMNS
from imgsim.database.connection import Connection, Table, table
from imgsim.formats.reading import TableFile, open_table
from imgsim.formats.tallies import Tally, total


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
        """Returns how many rows could not be loaded."""
        return total((self.findings.unusable, self.findings.ragged))


def load(
    connection: Connection, path: Path, *, missing: Sequence[str] = (), sheet: str | None = None
) -> Loaded:
    """Loads a table of books into `imgsim.ecco_document`.

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
        # Autovacuum does not see temporary tables: without it the planner takes this for empty.
        connection.execute("analyze pg_temp.metadata_row")
        conflicts = _conflicts(connection, columns)
        spared = _spare(connection, columns)
        blanked = _blanked(connection, columns)
        new, updated = _upsert(connection, columns)
        connection.execute("drop table pg_temp.metadata_row")
    merged = rows - new - updated
    return Loaded(file, findings, new, updated, merged, conflicts, spared, blanked, columns)


def coverage(connection: Connection) -> Table:
    """Returns how many images have a document, how many documents have images, and examples."""
    return table(connection, "select * from imgsim.coverage", {})


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
    """Copies the usable rows into the staging table, and returns how many."""
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
    """Merges the staged rows by id and writes them; returns how many are new, and how many not."""
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
    """Returns the statement; of rows with one id, the first value that is not missing counts."""
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
