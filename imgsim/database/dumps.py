"""A whole store in one file of SQL, and back: into a new database, or in place of what is there.

A dump begins with a head of our own: it stops psql where there is a store already, and names the
schema that pgvector is in. `restore` leaves the head out. It also leaves out what a plain owner may
not do (extensions, schemas made by an administrator), drops what is to be replaced, and reads the
rest, all in one transaction of psql.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from psycopg import sql

from imgsim.database import binaries, definitions
from imgsim.database.connection import connect, for_programs, open_connection
from imgsim.errors import DatabaseError, ImgsimError
from imgsim.settings import Settings

HEAD, HEAD_ENDS = "-- A store of imgsim; pgvector in the schema ", "-- The dump:\n"
PLAIN = "-- PostgreSQL database dump"
DROPS = re.compile(r"DROP |ALTER TABLE IF EXISTS .* DROP ")
NOT_AN_OWNERS = re.compile(
    r"(CREATE|COMMENT ON) EXTENSION |(CREATE|COMMENT ON) SCHEMA (imgsim|research|public)\b"
)
COPIES = re.compile(r"COPY .* FROM stdin;$")
OF_PGVECTOR = r"\.((?:halfvec|vector|sparsevec)(?:_\w+_ops)?\b|<=>|(?:vector|l2)_norm\b|\+\))"

REPLACED = """
set client_min_messages = warning;
do $$
declare
    statements text[];
    statement text;
begin
    -- Collected first: the name of what a cascade has dropped meanwhile could not be found.
    select array_agg(o.statement order by o.place) into statements
    from (
        select case c.relkind when 'S' then 2 else 1 end as place,
            format('drop %s if exists %s cascade',
                case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
                    when 'S' then 'sequence' else 'table' end,
                c.oid::regclass) as statement
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('imgsim', 'research') and c.relkind in ('r', 'p', 'v', 'm', 'S')
        union all
        select 3, format('drop routine if exists %s cascade', p.oid::regprocedure)
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = 'imgsim'
    ) o;
    foreach statement in array coalesce(statements, '{}') loop
        execute statement;
    end loop;
end
$$;
"""


@dataclass(frozen=True)
class Held:
    """What a database holds that a restore would replace."""

    images: int
    verdicts: int


def dump(settings: Settings, file: IO[bytes]) -> None:
    """Write everything stored as SQL.

    Raises:
        DatabaseError: pg_dump failed; its reason is in the message.
    """
    with connect(settings) as opened:
        schema = definitions.extension_schema(opened) or "public"
    file.write(_head(schema).encode())
    file.flush()
    target, environment = for_programs(settings)
    done = subprocess.run(
        [
            *(str(binaries.program("pg_dump")), "-d", target, "--no-owner", "--no-privileges"),
            "--exclude-extension=vector",
        ],
        env=environment,
        stdout=file,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DatabaseError(f"cannot write a dump: {_first(done.stderr)}", "imgsim doctor")


def held(settings: Settings) -> Held | None:
    """What is in a database already; None where there is no store."""
    with open_connection(settings) as opened:
        row = opened.execute("select to_regclass('imgsim.image') is not null").fetchone()
        if row is None or not row[0]:
            return None
        counts = [
            opened.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(*name)))
            for name in (("imgsim", "image"), ("imgsim", "verdict"))
            if opened.execute("select to_regclass(%s)", [".".join(name)]).fetchone() != (None,)
        ]
        numbers = [row[0] for cursor in counts if (row := cursor.fetchone())]
    return Held(numbers[0], numbers[1] if len(numbers) > 1 else 0)


def restore(settings: Settings, file: Path) -> None:
    """Read a dump, in place of the store that is there; whole, or with nothing changed.

    Raises:
        ImgsimError: the file cannot be read, or is not a dump.
        DatabaseError: psql failed; its reason is in the message.
    """
    with _opened(file) as source, open_connection(settings) as opened:
        definitions.make_schema(opened)
        schema = definitions.install_extension(opened)
        definitions.make_schema(opened, "research")
        quoted = sql.Identifier(schema).as_string(opened)
        target, environment = for_programs(settings)
        psql = [str(binaries.program("psql")), target, "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        running = subprocess.Popen(
            [*psql, "--single-transaction", "-f", "-", "-o", "/dev/null"],
            env=environment,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert running.stdin is not None
        try:
            running.stdin.write(REPLACED.encode())
            for line in _lines(source, quoted):
                running.stdin.write(line)
        except BrokenPipeError:
            pass  # psql has found a fault and ended: it says which
        except BaseException:
            running.kill()  # half a file would be committed as if it were whole
            running.communicate()
            raise
        _, said = running.communicate()
    if running.returncode:
        raise DatabaseError(
            f"cannot restore {file.name}: {_first(said.decode(errors='replace'))}; "
            "nothing was changed",
            "restore into a new store: imgsim --store NEW db restore FILE",
        )
    connect(settings).close()


def _lines(source: IO[bytes], schema: str) -> Iterator[bytes]:
    """The statements of a dump as this database takes them; the rows of tables as they are."""
    pgvector: tuple[re.Pattern[str], str] | None = None
    copying = created = in_head = ended = False
    for raw in source:
        if copying:
            copying = raw.rstrip(b"\r\n") != b"\\."
            yield raw
            continue
        line = raw.decode("utf-8", "surrogateescape")
        if line.startswith(HEAD):
            in_head = True
            before = re.escape(line[len(HEAD) :].strip())
            pgvector = re.compile(rf"(?<![\w.]){before}{OF_PGVECTOR}"), rf"{schema}.\1"
        if in_head:
            in_head = line != HEAD_ENDS
            continue
        created = created or line.startswith("CREATE ")
        ended = ended or line.startswith("-- PostgreSQL database dump complete")
        if (not created and DROPS.match(line)) or NOT_AN_OWNERS.match(line):
            continue
        copying = COPIES.match(line.rstrip()) is not None
        yield (pgvector[0].sub(pgvector[1], line) if pgvector else line).encode(
            "utf-8", "surrogateescape"
        )
    if not ended:
        raise ImgsimError(
            "cannot restore the dump: its end is missing; nothing was changed",
            "it was cut off, or the disk was full: write it again with imgsim db dump",
        )


def _head(schema: str) -> str:
    quoted = schema if re.fullmatch(r"[a-z_][a-z0-9_]*", schema) else f'"{schema}"'
    return f"""\
{HEAD}{quoted}
-- Read it with: imgsim db restore FILE. With psql it goes into an empty database only.
\\set ON_ERROR_STOP on
do $$
begin
    if to_regclass('imgsim.image') is not null then
        raise exception 'there is a store in this database already'
            using hint = 'imgsim db restore FILE asks, and then replaces it';
    end if;
end
$$;
drop schema if exists imgsim, research;
create schema if not exists {quoted};
create extension if not exists vector schema {quoted};
{HEAD_ENDS}"""


def _opened(file: Path) -> IO[bytes]:
    try:
        source = file.open("rb")
    except OSError as exc:
        raise ImgsimError(
            f"cannot read {file}: {exc.strerror}", "give a file of imgsim db dump"
        ) from exc
    beginning = source.read(4096).decode("utf-8", "replace")
    source.seek(0)
    if not beginning.startswith(HEAD) and PLAIN not in beginning:
        source.close()
        raise ImgsimError(
            f"cannot restore {file}: it is not a dump of a store",
            "write one with: imgsim db dump FILE",
        )
    return source


def _first(said: str) -> str:
    lines = [line for line in said.splitlines() if re.search("error:", line, re.IGNORECASE)]
    lines = lines or said.strip().splitlines() or ["it said nothing"]
    return re.sub(r"^(psql:<stdin>:\d+: |pg_dump: )(error|ERROR): +", "", lines[0])
