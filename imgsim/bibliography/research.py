"""Other research tables: brought into the schema `research` as they are, ready to be joined."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from psycopg import sql

from imgsim.bibliography.keys import Joins, Rewrite, joins_of, rewriting
from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError
from imgsim.formats.reading import TableFile, is_id, open_table, unique_names
from imgsim.formats.tallies import Tally
from imgsim.version import __version__
from imgsim.wording import counted

NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
LONGEST_NAME = 63  # bytes, in PostgreSQL
SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,9})")
_DOUBLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")

TEXT, INTEGER, DOUBLE = "text", "integer", "double precision"


@dataclass(frozen=True)
class ResearchTable:
    """A table as it was loaded; `types` are PostgreSQL's, in the order of `columns`."""

    name: str
    file: TableFile
    columns: tuple[str, ...]
    types: tuple[str, ...]
    key: str
    key_unique: bool
    rows: int
    without_key: int
    notes: tuple[str, ...]
    ragged: Tally = field(default_factory=Tally)
    joins: Joins = field(default_factory=Joins)


def load(
    connection: Connection,
    path: Path,
    name: str,
    key: str,
    *,
    replace: bool = False,
    key_as: str | None = None,
    missing: Sequence[str] = (),
    sheet: str | None = None,
) -> ResearchTable:
    """Loads a CSV, TSV or Parquet file into the table `research.<name>`, indexed by its key.

    The key and all ids are text; another column is `integer` or `double precision` if every value
    in it is such a number, written without leading zeros. One transaction: the whole file, or
    nothing of it, and with `replace` the earlier table is there until then.

    Args:
        key_as: one of `keys.FORMS`: the key is rewritten as that is written in the store, and the
            file's own text kept in a further column.
        missing: further spellings of a missing value.
        sheet: the sheet of an Excel workbook.

    Raises:
        ImgsimError: the file cannot be read or lacks the key, the name is not one for a table, or
            is taken.
    """
    if not NAME.fullmatch(name):
        raise ImgsimError(
            f"{name!r} cannot be the name of a table",
            f"use lower-case letters, digits and underscores: {_suggestion(name)}",
        )
    layout = _layout(open_table(path, missing, sheet), key, key_as)
    with connection.transaction():
        _make_room(connection, name, replace)
        loaded = _fill(connection, name, layout)
        _record(connection, loaded)
    return loaded


class _Layout(NamedTuple):
    """The columns that a file gets as a table, which of them is the key, and what it is made of."""

    file: TableFile
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    key: str
    rewrite: Rewrite | None


def _layout(file: TableFile, key: str, key_as: str | None) -> _Layout:
    at_key = file.position(key, "give one of these with --key")
    rewrite = rewriting(at_key, key_as) if key_as else None
    names = file.columns
    if rewrite:
        names = unique_names((*names, f"{names[at_key]}_original"))[0]
    columns, notes = column_names(names)
    return _Layout(file, columns, notes, columns[at_key], rewrite)


def _fill(connection: Connection, name: str, layout: _Layout) -> ResearchTable:
    file, columns, notes, key, rewrite = layout
    _create(connection, name, columns)
    kinds = [Kind(column == key or is_id(column)) for column in columns]
    if rewrite:
        kinds[-1] = Kind(must_be_text=True)  # the key as the file has it
    ragged = Tally()
    rows = _copy(connection, name, file, kinds, ragged, rewrite)
    types = tuple(kind.name for kind in kinds)
    _set_types(connection, name, columns, types)
    key_unique, without_key = _index(connection, name, key)
    return ResearchTable(
        *(name, file, columns, types, key, key_unique, rows, without_key),
        notes=(*file.notes, *notes),
        ragged=ragged,
        joins=joins_of(connection, _table(name), key),
    )


def listed(connection: Connection) -> Table:
    """Returns the research tables: name, key, rows, columns, source and when."""
    return table(connection, "select * from imgsim.research_status", {})


def column_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the names as PostgreSQL can hold them, and notes on those that were changed."""
    held: list[str] = []
    notes: list[str] = []
    for number, name in enumerate(names, 1):
        chosen = f"{name}_" if name in SYSTEM_COLUMNS else _shortened(name, "")
        if chosen in held or (chosen != name and chosen in names):
            chosen = _shortened(name, f"_{number}")
        if chosen != name:
            notes.append(f"PostgreSQL cannot have a column {name}: called {chosen}")
        held.append(chosen)
    return tuple(held), tuple(notes)


class Kind:
    """The narrowest type that holds every value of a column seen so far."""

    def __init__(self, must_be_text: bool) -> None:
        self.can_be = [] if must_be_text else [INTEGER, DOUBLE]
        self._any = False

    def see(self, text: str) -> None:
        """Takes note of one more value."""
        self._any = True
        if INTEGER in self.can_be and not _is_integer(text):
            self.can_be.remove(INTEGER)
        if self.can_be == [DOUBLE] and not _is_double(text):
            self.can_be.remove(DOUBLE)

    @property
    def name(self) -> str:
        return self.can_be[0] if self.can_be and self._any else TEXT


def _is_integer(text: str) -> bool:
    return _INTEGER.fullmatch(text) is not None and -(2**31) <= int(text) < 2**31


def _is_double(text: str) -> bool:
    if _DOUBLE.fullmatch(text) is None:
        return False
    number = float(text)
    # PostgreSQL refuses what overflows or underflows.
    return math.isfinite(number) and (
        number != 0 or not re.search("[1-9]", text.lower().split("e")[0])
    )


def _shortened(name: str, ending: str) -> str:
    room = LONGEST_NAME - len(ending.encode())
    return name.encode()[:room].decode(errors="ignore") + ending


def _suggestion(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST_NAME] or "captions"
    return plain if NAME.fullmatch(plain) else f"t_{plain}"[:LONGEST_NAME]


def _make_room(connection: Connection, name: str, replace: bool) -> None:
    """Checks that the name is free, and with `replace` makes it so.

    Raises:
        ImgsimError: a table has it, and is not to be replaced or was not loaded by imgsim.
    """
    # Two that load the same name come one after the other.
    connection.execute("select pg_advisory_xact_lock(hashtext('research.' || %s))", [name])
    row = connection.execute(
        """
        select t.source, t.rows
        from pg_catalog.pg_class c
        left join imgsim.research_table t on t.name = c.relname and c.relkind in ('r', 'p')
        where c.relnamespace = 'research'::regnamespace
            and c.relname = %s
        """,
        [name],
    ).fetchone()
    if row is None:
        return
    source, rows = row
    if source is None:
        raise ImgsimError(
            f"research.{name} exists already, and was not loaded by imgsim",
            "give another --name, or drop it in psql",
        )
    if not replace:
        raise ImgsimError(
            f"research.{name} exists already: {counted(rows, 'row')} from {source}",
            "give another --name, or --replace",
        )
    # Without cascade: a view that somebody has built on it is named, not dropped.
    connection.execute(sql.SQL("drop table {}").format(_table(name)))


def _create(connection: Connection, name: str, columns: Sequence[str]) -> None:
    defined = [sql.SQL("{} text").format(sql.Identifier(column)) for column in columns]
    connection.execute(
        sql.SQL("create table {} ({})").format(_table(name), sql.SQL(", ").join(defined))
    )


def _copy(
    connection: Connection,
    name: str,
    file: TableFile,
    kinds: Sequence[Kind],
    ragged: Tally,
    rewrite: Rewrite | None,
) -> int:
    """Streams the rows in as text, noting which type would hold each column; returns how many."""
    rows = 0
    with connection.cursor().copy(sql.SQL("copy {} from stdin").format(_table(name))) as copy:
        for row in file.rows(ragged):
            values = rewrite(row.values) if rewrite else row.values
            copy.write_row(values)
            rows += 1
            for kind, text in zip(kinds, values, strict=True):
                if kind.can_be and text is not None:
                    kind.see(text)
    return rows


def _set_types(
    connection: Connection, name: str, columns: Sequence[str], types: Sequence[str]
) -> None:
    """Gives the columns their types, all at once: PostgreSQL rewrites the table each time."""
    changes = [
        sql.SQL("alter column {0} type {1} using {0}::{1}").format(
            sql.Identifier(column), sql.SQL(type_)
        )
        for column, type_ in zip(columns, types, strict=True)
        if type_ != TEXT
    ]
    if changes:
        connection.execute(
            sql.SQL("alter table {} {}").format(_table(name), sql.SQL(", ").join(changes))
        )


def _index(connection: Connection, name: str, key: str) -> tuple[bool, int]:
    """Indexes the key; returns whether no two rows share one, and how many rows have none."""
    column = sql.Identifier(key)
    counted = connection.execute(
        sql.SQL("select count(*) - count({0}), count({0}), count(distinct {0}) from {1}").format(
            column, _table(name)
        )
    ).fetchone()
    assert counted is not None
    without_key, with_key, different = counted
    unique = with_key == different
    connection.execute(
        sql.SQL("create {} index on {} ({})").format(
            sql.SQL("unique" if unique else ""), _table(name), column
        )
    )
    # The first join is often the next statement, long before autovacuum comes by.
    connection.execute(sql.SQL("analyze {}").format(_table(name)))
    return unique, without_key


def _record(connection: Connection, loaded: ResearchTable) -> None:
    connection.execute(
        """
        insert into imgsim.research_table
            (name, key_column, key_unique, rows, columns, source, imgsim_version)
        values (%s, %s, %s, %s, %s, %s, %s)
        on conflict (name) do update
        set key_column = excluded.key_column,
            key_unique = excluded.key_unique,
            rows = excluded.rows,
            columns = excluded.columns,
            source = excluded.source,
            imgsim_version = excluded.imgsim_version,
            loaded_at = now()
        """,
        [
            *(loaded.name, loaded.key, loaded.key_unique, loaded.rows, len(loaded.columns)),
            *(str(loaded.file.path.resolve()), __version__),
        ],
    )


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("research", name)
