"""Brings the schema up to date: migrations/ once and in order, then sql/ whenever its text changed.

Every file and its row in `imgsim.migration` commit together. A second runner waits for the first
on an advisory lock and then finds nothing to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from imgsim.database import comments, definitions, session
from imgsim.database.definitions import FUNCTION, VIEW
from imgsim.errors import MigrationError
from imgsim.version import __version__, reinstall_command

Connection = psycopg.Connection[tuple[Any, ...]]

logger = logging.getLogger("imgsim")

LOCK_KEY = 7_305_810_927
OUTSIDE_TRANSACTION = "-- no-transaction"
NEEDS = "-- needs:"
SURROUNDINGS = "-- path and comments, 2:"
"""Count on when `definitions.finish` or `comments` do something else, so that stores get it too."""

IN_THE_WAY = (
    psycopg.errors.DependentObjectsStillExist,
    psycopg.errors.InvalidFunctionDefinition,
)

LEDGER = """
create table if not exists imgsim.migration (
    name text primary key,
    checksum text not null,
    imgsim_version text not null,
    applied_at timestamptz not null default now()
);
"""


@dataclass(frozen=True)
class SqlFile:
    """One file of `migrations/` or `sql/`; `name` is its path as the ledger writes it.

    `surroundings` is what else the definitions of a file in `sql/` depend on: where they change, as
    when pgvector moves to another schema, the file is applied again.
    """

    name: str
    text: str
    surroundings: str = ""

    @property
    def checksum(self) -> str:
        return hashlib.sha256((self.text + self.surroundings).encode()).hexdigest()


def migration_files() -> list[SqlFile]:
    """The released migrations, in order."""
    return _read("migrations")


def repeatable_files() -> list[SqlFile]:
    """The views and functions of `sql/`, each after those its `-- needs:` line names."""
    files = {Path(file.name).stem: file for file in _read("sql")}
    order = TopologicalSorter({stem: sorted(_needs(file)) for stem, file in files.items()})
    try:
        return [files[stem] for stem in order.static_order()]
    except (CycleError, KeyError) as exc:
        raise MigrationError(f"the `{NEEDS}` lines of sql/ do not resolve: {exc}") from exc


def apply(connection: Connection) -> list[str]:
    """Apply what is missing; the names of the files applied, none when all is up to date.

    Raises:
        MigrationError: a file could not be applied, one that was applied has changed since, or
            the database has been migrated by a newer imgsim.
    """
    try:
        return _apply_missing(connection, migration_files(), repeatable_files())
    except psycopg.Error as exc:
        raise MigrationError(
            f"cannot read or set up the schema imgsim: {_reason(exc)}", _hint(exc)
        ) from exc


def _apply_missing(
    connection: Connection, migrations: list[SqlFile], repeatables: list[SqlFile]
) -> list[str]:
    schema = definitions.extension_schema(connection)
    repeatables = _surrounded(repeatables, schema)
    applied = _ledger(connection)
    if newer := definitions.newer_version(connection):
        logger.warning(
            "the views and functions of this database are those of imgsim %s, newer than this %s; "
            "they stay as they are. Upgrade imgsim: %s",
            *(newer, __version__, reinstall_command("--upgrade")),
        )
        repeatables = []
    gone = [] if newer else _gone(applied, repeatables)
    if schema and not gone and not _pending(applied, migrations, repeatables):
        return []
    session.require_session(connection)
    with _only_runner(connection), _prepared(connection) as schema:
        repeatables = _surrounded(repeatables, schema)
        pending = _pending(_ledger(connection), migrations, repeatables)
        changed = [file for file in pending if file in repeatables]
        for file in pending[: len(pending) - len(changed)]:
            _apply(connection, file, schema)
        with connection.transaction():
            _drop_functions(connection, changed)
            for file in changed:
                _apply(connection, file, schema)
            # After all, because the tables' own comments are in a file too.
            comments.comment_columns(connection, (file.text for file in changed))
            # Last: what used them until now has been defined anew.
            for name in gone:
                definitions.drop(connection, name)
    return [file.name for file in pending]


def _gone(applied: dict[str, str], repeatables: list[SqlFile]) -> list[str]:
    """The files of sql/ that were applied once and are no more."""
    there = {file.name for file in repeatables}
    return sorted(name for name in applied if name.startswith("sql/") and name not in there)


def _surrounded(files: list[SqlFile], schema: str | None) -> list[SqlFile]:
    return [replace(file, surroundings=f"{SURROUNDINGS} {schema}") for file in files]


@contextmanager
def _prepared(connection: Connection) -> Iterator[str]:
    """The schema imgsim, the extension and the ledger made, where missing; pgvector's schema."""
    definitions.make_schema(connection)
    schema = definitions.install_extension(connection)
    with definitions.fixed_path(connection):
        connection.execute(LEDGER)
        yield schema


def _drop_functions(connection: Connection, files: list[SqlFile]) -> None:
    """Drop the functions that the files define: what they return or take may have changed.

    One that somebody's own view is built on stays, and is replaced if it can be.
    """
    names = {name for file in files for name in FUNCTION.findall(file.text)}
    rows = connection.execute(
        """
        select p.oid::regprocedure::text
        from pg_catalog.pg_proc p
        where p.pronamespace = 'imgsim'::regnamespace and p.proname = any(%s)
        """,
        [sorted(names)],
    ).fetchall()
    for (signature,) in rows:
        with (
            contextlib.suppress(psycopg.errors.DependentObjectsStillExist),
            connection.transaction(),
        ):
            connection.execute(f"drop function {signature}".encode())


def _ledger(connection: Connection) -> dict[str, str]:
    try:
        rows = connection.execute("select name, checksum from imgsim.migration").fetchall()
    except psycopg.errors.UndefinedTable:
        return {}
    return dict(rows)


def _pending(
    applied: dict[str, str], migrations: list[SqlFile], repeatables: list[SqlFile]
) -> list[SqlFile]:
    known = {file.name for file in migrations}
    if newer := sorted(
        name for name in applied if name.startswith("migrations/") and name not in known
    ):
        raise MigrationError(
            f"this database was migrated by a newer imgsim: {newer[-1]} is unknown here",
            f"upgrade imgsim: {reinstall_command('--upgrade')} (docs/upgrading.md)",
        )
    for file in migrations:
        if applied.get(file.name, file.checksum) != file.checksum:
            raise MigrationError(
                f"{file.name} was applied to this database with another text",
                "released migrations are frozen: restore the file and add a new one",
            )
    missing = [file for file in migrations if file.name not in applied]
    changed = [file for file in repeatables if applied.get(file.name) != file.checksum]
    # A function that calls a changed one may have to be planned anew: cheap, so all of them.
    return missing + (repeatables if missing or changed else [])


def _apply(connection: Connection, file: SqlFile, schema: str) -> None:
    try:
        if file.text.startswith(OUTSIDE_TRANSACTION):
            for statement in _statements(file.text):
                connection.execute(statement.encode())
            _record(connection, file)
        else:
            _run(connection, file, schema)
    except IN_THE_WAY as exc:
        raise _stands_in_the_way(connection, file, exc) from exc
    except psycopg.Error as exc:
        raise _not_applied(file, exc) from exc


def _not_applied(file: SqlFile, exc: psycopg.Error) -> MigrationError:
    return MigrationError(
        f"cannot apply {file.name}: {_reason(exc)}", _hint(exc) or _what_stays(file)
    )


def _stands_in_the_way(connection: Connection, file: SqlFile, exc: psycopg.Error) -> MigrationError:
    views = definitions.built_on(connection, file.text)
    if not views:
        return _not_applied(file, exc)
    return MigrationError(
        f"cannot apply {file.name}: it changes what a view of your own uses ({', '.join(views)})",
        f"keep its text (imgsim psql -c '\\d+ {views[0]}' shows it), drop it, "
        "run imgsim db migrate and create it again",
    )


def _run(connection: Connection, file: SqlFile, schema: str) -> None:
    text = definitions.filled_in(connection, file.text, schema)
    try:
        with connection.transaction():
            connection.execute(text.encode())
            definitions.finish(connection, text)
            _record(connection, file)
    except psycopg.errors.InvalidTableDefinition:
        # A view whose columns changed cannot be replaced.
        with connection.transaction():
            for view in VIEW.findall(text):
                connection.execute(sql.SQL("drop view imgsim.{}").format(sql.Identifier(view)))
            connection.execute(text.encode())
            definitions.finish(connection, text)
            _record(connection, file)


def _reason(exc: psycopg.Error) -> str:
    return str(exc).strip().split("\n")[0]


def _hint(exc: psycopg.Error) -> str:
    if isinstance(exc, psycopg.errors.InsufficientPrivilege):
        return "connect once as the database's owner and run: imgsim db migrate"
    if isinstance(exc, psycopg.errors.ReadOnlySqlTransaction):
        return "this server only reads: run imgsim db migrate on the server that it copies"
    return exc.diag.message_hint or ""


def _what_stays(file: SqlFile) -> str:
    if file.text.startswith(OUTSIDE_TRANSACTION):
        return "statements before the one that failed were kept; earlier files stay applied"
    return "nothing of it was kept; earlier files stay applied"


def _statements(text: str) -> list[str]:
    # PostgreSQL runs several statements sent at once in one transaction: send them one by one.
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [part for part in "\n".join(lines).split(";\n") if part.strip(" \n;")]


def _record(connection: Connection, file: SqlFile) -> None:
    connection.execute(
        """
        insert into imgsim.migration (name, checksum, imgsim_version)
        values (%s, %s, %s)
        on conflict (name) do update
        set checksum = excluded.checksum,
            imgsim_version = excluded.imgsim_version,
            applied_at = now()
        """,
        [file.name, file.checksum, __version__],
    )


@contextmanager
def _only_runner(connection: Connection) -> Iterator[None]:
    connection.execute("select pg_advisory_lock(%s)", [LOCK_KEY])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", [LOCK_KEY])


def _needs(file: SqlFile) -> set[str]:
    lines = [line for line in file.text.splitlines() if line.startswith(NEEDS)]
    return {stem.strip() for line in lines for stem in line[len(NEEDS) :].split(",")}


def _read(folder: str) -> list[SqlFile]:
    # Inside the package when installed from a wheel, beside it in a checkout.
    package = Path(__file__).resolve().parents[1]
    place = next(p for p in (package / folder, package.parent / folder) if p.is_dir())
    return [
        SqlFile(f"{folder}/{path.name}", path.read_text("utf-8"))
        for path in sorted(place.glob("*.sql"))
    ]
