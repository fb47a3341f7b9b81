"""What surrounds the files of migrations/ and sql/ when they are applied: schemas, path, comments.

pgvector may be installed in any schema, and callers have any `search_path`. So the files name
pgvector's schema (`@vector@`, filled in here) and their own, are applied under a path of
PostgreSQL's own schema alone, and every function that looks names up when it runs keeps that path.
With `public` on it, anybody's `public.array_to_string(text[], text)` would fit better than
PostgreSQL's, which takes any array, and run with the rights of whoever asks.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from imgsim.errors import MigrationError
from imgsim.version import __version__

Connection = psycopg.Connection[tuple[Any, ...]]

FUNCTION = re.compile(r"^create or replace function imgsim\.(\w+)", re.MULTILINE)
VIEW = re.compile(r"^create or replace view imgsim\.(\w+)", re.MULTILINE)
SIGNATURE = re.compile(r"^create or replace function imgsim\.(\w+)\((.*?)\)\s*returns", re.M | re.S)
DEFAULT = re.compile(r"\s+default\s.*$", re.DOTALL)
PATH = "pg_catalog, pg_temp"
VECTOR = "@vector@"
NO_PATH = "-- no path:"
"""In small functions that others call often: to set a path takes some microseconds."""

MARKER = re.compile(r"-- (needs|no path):")
CREATE_SCHEMA = re.compile(r"^create schema if not exists (\w+);$", re.MULTILINE)


def extension_schema(connection: Connection) -> str | None:
    """The schema that pgvector is installed in, or None where it is not installed."""
    row = connection.execute(
        """
        select n.nspname
        from pg_catalog.pg_extension e
        join pg_catalog.pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'vector'
        """
    ).fetchone()
    return row[0] if row else None


def make_schema(connection: Connection, name: str = "imgsim") -> None:
    """Make a schema, unless an administrator has made it."""
    if not _has_schema(connection, name):
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(name)))


def install_extension(connection: Connection) -> str:
    """Install pgvector where it is missing; the schema that it is in.

    Raises:
        MigrationError: it is not on the server, or this role may not install or use it.
    """
    schema = extension_schema(connection)
    if schema is None:
        # For a role called imgsim the path begins with the schema imgsim: named here, so that the
        # types stand where other programs look for them.
        schema = "public" if _has_schema(connection, "public") else "imgsim"
        statement = sql.SQL("create extension if not exists vector schema {}")
        try:
            connection.execute(statement.format(sql.Identifier(schema)))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise MigrationError(
                "cannot install the extension pgvector: this role lacks the right",
                "have an administrator run in this database: create extension vector",
            ) from exc
        except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as exc:
            raise MigrationError(
                "cannot set up the schema imgsim: the server lacks the extension pgvector",
                "install pgvector 0.8 or later on the server "
                f"(on Debian: postgresql-{connection.info.server_version // 10000}-pgvector)",
            ) from exc
        return extension_schema(connection) or schema
    row = connection.execute(
        "select pg_catalog.has_schema_privilege(%s, 'usage'), current_user::text", [schema]
    ).fetchone()
    if row and not row[0]:
        raise MigrationError(
            f"cannot use the extension pgvector: the schema {schema} is closed to {row[1]}",
            f"have its owner run: grant usage on schema {schema} to {row[1]}",
        )
    return schema


def _has_schema(connection: Connection, name: str) -> bool:
    return (
        connection.execute(
            "select from pg_catalog.pg_namespace n where n.nspname = %s", [name]
        ).fetchone()
        is not None
    )


@contextmanager
def fixed_path(connection: Connection) -> Iterator[None]:
    """Look names up in PostgreSQL's own schema, and nowhere else."""
    row = connection.execute("select pg_catalog.current_setting('search_path')").fetchone()
    before = row[0] if row else ""
    set_path = "select pg_catalog.set_config('search_path', %s, false)"
    connection.execute(set_path, [PATH])
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(set_path, [before])


def filled_in(connection: Connection, text: str, schema: str) -> str:
    """The text of a file as this database needs it.

    `@vector@` becomes pgvector's schema. A `create schema if not exists` of one that exists goes:
    PostgreSQL asks for the right to create before it looks whether there is one, and would refuse
    a role whose schemas an administrator made. (Released migrations keep their text.)
    """

    def kept(match: re.Match[str]) -> str:
        return "" if _has_schema(connection, match[1]) else match[0]

    quoted = sql.Identifier(schema).as_string(connection)
    return CREATE_SCHEMA.sub(kept, text).replace(VECTOR, quoted)


def finish(connection: Connection, text: str) -> None:
    """Comment what a file of sql/ has defined, its text filled in, and fix its functions' path.

    A function whose body was parsed when it was made (`return …`) needs no path, and could not be
    inlined with one.
    """
    says = sql.Literal(_says(text))
    for name, arguments in SIGNATURE.findall(text):
        signature = sql.SQL("imgsim.{}({})").format(
            sql.Identifier(name), sql.SQL(", ").join(map(sql.SQL, _types(arguments)))
        )
        connection.execute(sql.SQL("comment on function {} is {}").format(signature, says))
        if _looks_names_up(text):
            connection.execute(
                sql.SQL("alter function {} set search_path = {}").format(signature, sql.SQL(PATH))
            )
    for name in VIEW.findall(text):
        view = sql.Identifier("imgsim", name)
        connection.execute(sql.SQL("comment on view {} is {}").format(view, says))


def drop(connection: Connection, name: str) -> None:
    """Drops what a file of sql/ that is no more has defined, under its own name.

    What somebody's own view is built on stays, and is theirs from now on.
    """
    defined = Path(name).stem
    rows = connection.execute(
        """
        select format('function %%s', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        where p.pronamespace = 'imgsim'::regnamespace and p.proname = %(defined)s
        union all
        select format('view imgsim.%%I', c.relname)
        from pg_catalog.pg_class c
        where c.relnamespace = 'imgsim'::regnamespace
            and c.relname = %(defined)s
            and c.relkind = 'v'
        """,
        {"defined": defined},
    ).fetchall()
    for (what,) in rows:
        with (
            contextlib.suppress(psycopg.errors.DependentObjectsStillExist),
            connection.transaction(),
        ):
            connection.execute(f"drop {what}".encode())
    connection.execute("delete from imgsim.migration where name = %s", [name])


def newer_version(connection: Connection) -> str | None:
    """The version of a newer imgsim whose definitions these are, if they are.

    Two versions on one server would otherwise drop and define each other's at every command.
    """
    own = _release(__version__)
    try:
        rows = connection.execute(
            "select distinct imgsim_version from imgsim.migration where starts_with(name, 'sql/')"
        ).fetchall()
    except psycopg.errors.UndefinedTable:
        return None
    newest = max((row[0] for row in rows), key=_release, default="")
    return newest if own and _release(newest) > own else None


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version; none for a bare checkout, which says nothing of its age."""
    found = re.match(r"\d+(\.\d+)+", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def built_on(connection: Connection, text: str) -> list[str]:
    """The views of somebody's own that use what a file defines (of a migration: the schema)."""
    names = FUNCTION.findall(text) + VIEW.findall(text)
    rows = connection.execute(
        """
        select distinct format('%%I.%%I', n.nspname, c.relname)
        from pg_catalog.pg_depend d
        join pg_catalog.pg_rewrite r on r.oid = d.objid
        join pg_catalog.pg_class c on c.oid = r.ev_class
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join pg_catalog.pg_proc f
            on f.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_proc'::regclass
        left join pg_catalog.pg_class t
            on t.oid = d.refobjid and d.refclassid = 'pg_catalog.pg_class'::regclass
        join pg_catalog.pg_namespace s on s.oid = coalesce(f.pronamespace, t.relnamespace)
        where d.classid = 'pg_catalog.pg_rewrite'::regclass
            and s.nspname = 'imgsim'
            and n.nspname <> 'imgsim'
            and (%(names)s::text[] = '{}' or coalesce(f.proname, t.relname) = any(%(names)s))
        order by 1
        """,
        {"names": names},
    ).fetchall()
    return [row[0] for row in rows]


def _looks_names_up(text: str) -> bool:
    return NO_PATH not in text and re.search(r"^as \$\$$", text, re.MULTILINE) is not None


def _says(text: str) -> str:
    """The first comment of a file, up to its example or an empty line."""
    lines = []
    for line in text.splitlines():
        words = line.removeprefix("--")
        if words == line or not words.strip() or words.startswith("   ") or MARKER.match(line):
            break
        lines.append(words.strip())
    return " ".join(lines)


def _types(arguments: str) -> list[str]:
    """The arguments of a function, without their defaults."""
    parts, depth = [""], 0
    for letter in arguments:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [DEFAULT.sub("", part.strip()) for part in parts if part.strip()]
