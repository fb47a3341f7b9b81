"""`imgsim db dump` and `restore`: a store in one file, and back, nothing replaced unasked."""

from __future__ import annotations

import itertools
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from imgsim.database import binaries, dumps, embedded
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.settings import ExternalServer, Settings
from tests import tiny
from tests.conftest import Answer

Imgsim = Callable[..., Answer]
_numbers = itertools.count(1)


@pytest.fixture
def dumped(connection: Connection, imgsim: Imgsim, tmp_path: Path) -> Path:
    """A dump of a tiny store with a research table and a verdict."""
    tiny.fill(connection)
    connection.execute("create table research.captions (key text)")
    connection.execute("insert into research.captions values ('DROP \\. it')")
    connection.execute(
        "insert into imgsim.verdict (image_id, other_id, verdict, by) "
        "values (1, 2, 'same block', 'me')"
    )
    file = tmp_path / "a dump.sql"
    answer = imgsim("db", "dump", file)
    assert answer.code == 0, answer.err
    return file


@pytest.fixture
def elsewhere(server: embedded.Server) -> Iterator[Settings]:
    """An empty database."""
    name = f"elsewhere_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        yield Settings(ExternalServer(server.conninfo(name), "the tests"))
        admin.execute(f"drop database {name} with (force)".encode())


def contents(opened: Connection) -> list[tuple[object, ...]]:
    rows = opened.execute("select * from imgsim.similar(%s, k => 5)", [tiny.NAME]).fetchall()
    return [*rows, *opened.execute("select key from research.captions").fetchall()]


def psql(settings: Settings, file: Path) -> subprocess.CompletedProcess[str]:
    assert isinstance(settings.target, ExternalServer)
    call = [str(binaries.program("psql")), settings.target.conninfo, "-q", "-f", str(file)]
    return subprocess.run(call, capture_output=True, text=True, check=False)


def test_a_dump_is_for_its_owners_eyes(dumped: Path) -> None:
    assert stat.S_IMODE(os.stat(dumped).st_mode) == 0o600


def test_a_dump_is_restored_into_an_empty_database(
    dumped: Path, connection: Connection, elsewhere: Settings
) -> None:
    dumps.restore(elsewhere, dumped)
    with database.connect(elsewhere) as opened:
        assert contents(opened) == contents(connection)


def test_a_dump_goes_where_pgvector_is_in_another_schema_and_schemas_are_an_administrators(
    dumped: Path, connection: Connection, elsewhere: Settings
) -> None:
    assert isinstance(elsewhere.target, ExternalServer)
    with database.open_connection(elsewhere) as admin:
        role = f"plain_owner_of_{admin.info.dbname}"
        admin.execute(
            f"""
            create role {role} login;
            create schema "Extensions of others";
            create extension vector schema "Extensions of others";
            grant usage on schema "Extensions of others" to {role};
            create schema imgsim;
            create schema research;
            grant usage, create on schema imgsim, research to {role};
            """.encode()
        )
    plain = make_conninfo(elsewhere.target.conninfo, user=role)
    settings = Settings(ExternalServer(plain, "the tests"))
    dumps.restore(settings, dumped)
    dumps.restore(settings, dumped)
    with database.connect(settings) as opened:
        assert contents(opened) == contents(connection)


def test_a_restore_asks_before_it_replaces(
    dumped: Path, imgsim: Imgsim, connection: Connection
) -> None:
    before = contents(connection)
    connection.execute("delete from research.captions")
    refused = imgsim("db", "restore", dumped)
    assert refused.code == 1
    assert "Replace 12 pictures and 1 verdict stored here" in refused.err
    assert "next: give --yes" in refused.err
    assert connection.execute("select count(*) from research.captions").fetchone() == (0,)
    restored = imgsim("db", "restore", dumped, "--yes")
    assert restored.code == 0, restored.err
    assert "restored: 12 pictures" in restored.err
    assert contents(connection) == before


def test_a_dump_read_by_psql_wipes_no_store(
    dumped: Path, settings: Settings, connection: Connection
) -> None:
    before = contents(connection)
    done = psql(settings, dumped)
    assert done.returncode == 3
    assert "there is a store in this database already" in done.stderr
    assert contents(connection) == before


def test_a_dump_read_by_psql_fills_an_empty_database(
    dumped: Path, connection: Connection, elsewhere: Settings
) -> None:
    done = psql(elsewhere, dumped)
    assert done.returncode == 0, done.stderr
    with database.connect(elsewhere) as opened:
        assert contents(opened) == contents(connection)


def test_a_dump_that_was_cut_off_changes_nothing(
    dumped: Path, settings: Settings, connection: Connection
) -> None:
    before = contents(connection)
    for length in (dumped.stat().st_size // 2, dumped.stat().st_size - 200):
        cut = dumped.with_name("cut.sql")
        cut.write_bytes(dumped.read_bytes()[:length])
        with pytest.raises(ImgsimError, match="nothing was changed"):
            dumps.restore(settings, cut)
        assert contents(connection) == before


def test_a_dump_with_a_fault_changes_nothing(
    dumped: Path, settings: Settings, connection: Connection
) -> None:
    before = contents(connection)
    bad = dumped.with_name("bad.sql")
    bad.write_text(dumped.read_text().replace("CREATE VIEW", "select 1 / 0;\nCREATE VIEW", 1))
    with pytest.raises(ImgsimError, match=r"cannot restore bad\.sql: division by zero"):
        dumps.restore(settings, bad)
    assert contents(connection) == before


def test_what_is_not_a_dump_is_refused(imgsim: Imgsim, tmp_path: Path) -> None:
    (tmp_path / "notes.sql").write_text("drop schema imgsim cascade;")
    answer = imgsim("db", "restore", tmp_path / "notes.sql", "--yes")
    assert answer.code == 1
    assert "it is not a dump of a store" in answer.err
    answer = imgsim("db", "restore", tmp_path / "nothing.sql", "--yes")
    assert answer.code == 1
    assert "cannot read" in answer.err
