"""A server that somebody else runs: every way to name it, and every way it can refuse."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imgsim.__main__ import run
from imgsim.database import connection as database
from imgsim.database import embedded
from imgsim.settings import ExternalServer, Settings
from tests import tiny

READER = "reader"
READER_PASSWORD = "only reads"


@dataclass(frozen=True)
class External:
    """A server on TCP with a password, and the parts of its address."""

    url: str
    port: int
    password: str

    def but(self, **parts: Any) -> str:
        """Its address with some parts changed."""
        return make_conninfo(self.url, **parts)


@pytest.fixture(scope="module")
def external(reachable_folder: Path) -> Iterator[External]:
    """A tiny store on a second server, and a role that may only read it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = reachable_folder / "external"
    url = embedded.tcp_url(folder, embedded.ensure_running(folder, 0, port))
    with database.connect(Settings(ExternalServer(url, "the tests"))) as opened:
        tiny.fill(opened)
        opened.execute(f"create role {READER} login password '{READER_PASSWORD}'".encode())
        opened.execute(f"grant usage on schema imgsim to {READER}".encode())
        opened.execute(f"grant select on all tables in schema imgsim to {READER}".encode())
        opened.execute("create database empty")
    yield External(url, port, str(conninfo_to_dict(url)["password"]))
    embedded.stop(folder)


@dataclass(frozen=True)
class Printed:
    code: int
    out: str
    err: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Printed]:
    """Run a command line in this process, on whatever the environment says."""

    def call(*arguments: str) -> Printed:
        capsys.readouterr()
        code = run(list(arguments))
        captured = capsys.readouterr()
        return Printed(code, captured.out, captured.err)

    return call


def similar(command: Callable[..., Printed], *place: str) -> list[str]:
    """The names that `imgsim similar` ranks; empty if it failed."""
    printed = command(*place, "similar", tiny.NAME, "-k", "3", "--format", "json")
    assert printed.code == 0, printed.err
    return [row["name"] for row in json.loads(printed.out)]


def assert_one_message(printed: Printed, message: str, next_step: str) -> None:
    """A failed command printed one error and one next step, and nothing else."""
    assert printed.code == 1
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert len(lines) == 2, printed.err
    assert re.match(f"error: .*{message}", lines[0])
    assert re.match(f"  next: .*{next_step}", lines[1])


def test_the_option_names_the_server(external: External, command: Callable[..., Printed]) -> None:
    assert len(similar(command, "--database", external.url)) == 3


def test_a_keyword_string_serves_as_well_as_a_url(
    external: External, command: Callable[..., Printed]
) -> None:
    assert len(similar(command, "--database", external.but(application_name="x"))) == 3


def test_the_variable_of_imgsim_names_the_server(
    external: External, command: Callable[..., Printed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGSIM_DATABASE_URL", external.url)
    assert len(similar(command)) == 3


def test_the_variables_of_libpq_name_the_server(
    external: External, command: Callable[..., Printed], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(external.port),
        "PGUSER": "imgsim",
        "PGPASSWORD": external.password,
        "PGDATABASE": "imgsim",
    }.items():
        monkeypatch.setenv(name, value)
    assert len(similar(command)) == 3


def test_a_service_of_libpq_names_the_server(
    external: External,
    command: Callable[..., Printed],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    parts = conninfo_to_dict(external.url)
    lines = ["[prints]", *(f"{name}={value}" for name, value in parts.items())]
    (tmp_path / "services").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "prints")
    assert len(similar(command)) == 3


def test_a_wrong_password_is_one_message_without_the_password(
    external: External, command: Callable[..., Printed]
) -> None:
    printed = command("--database", external.but(password="s3cret"), "similar", "x")
    assert_one_message(printed, "password authentication failed", "PGPASSWORD")
    assert "s3cret" not in printed.err


def test_a_missing_password_is_one_message(
    external: External, command: Callable[..., Printed]
) -> None:
    address = f"postgresql://imgsim@127.0.0.1:{external.port}/imgsim"
    assert_one_message(
        command("--database", address, "similar", "x"), "no password supplied", "PGPASSWORD"
    )


def test_a_wrong_port_is_one_message_that_names_where_it_came_from(
    external: External, command: Callable[..., Printed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IMGSIM_DATABASE_URL", external.but(port=1))
    assert_one_message(command("similar", "x"), "port 1 .*refused", "IMGSIM_DATABASE_URL")


def test_an_unknown_host_is_one_message(command: Callable[..., Printed]) -> None:
    printed = command("--database", "postgresql://nowhere.invalid/x", "similar", "x")
    assert_one_message(printed, "cannot reach the database: .*nowhere.invalid", "--database")


def test_an_unknown_database_is_one_message(
    external: External, command: Callable[..., Printed]
) -> None:
    printed = command("--database", external.but(dbname="nothing"), "similar", "x")
    assert_one_message(printed, 'database "nothing" does not exist', "createdb")


def test_an_unknown_service_is_one_message(
    command: Callable[..., Printed], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "prints")
    assert_one_message(command("similar", "x"), "services.* not found", "PGSERVICE")


@pytest.mark.parametrize("address", ["prints", "postgresql://[::1", "host='x"])
def test_an_address_that_cannot_be_read_is_one_message(
    address: str, command: Callable[..., Printed]
) -> None:
    printed = command("--database", address, "similar", "x")
    assert_one_message(
        printed, "cannot read the address of the database, from --database", "postgresql://"
    )


def test_a_role_without_rights_to_set_up_the_schema_is_one_message(
    external: External, command: Callable[..., Printed]
) -> None:
    address = external.but(dbname="empty", user=READER, password=READER_PASSWORD)
    printed = command("--database", address, "similar", "x")
    assert_one_message(printed, "permission denied for database", "imgsim db migrate")


def test_a_role_without_rights_to_the_schema_is_one_message(
    external: External, command: Callable[..., Printed]
) -> None:
    with psycopg.connect(external.url, autocommit=True) as admin:
        admin.execute("create role stranger login password 'x'")
    address = external.but(user="stranger", password="x")
    printed = command("--database", address, "similar", "x")
    assert_one_message(printed, "permission denied for schema imgsim", "owner")


def test_a_database_without_pgvector_says_what_to_install(
    external: External,
    command: Callable[..., Printed],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from imgsim.database import migrations

    file = migrations.SqlFile("migrations/0001_x.sql", "create extension no_such_extension")
    monkeypatch.setattr(migrations, "migration_files", lambda: [file])
    printed = command("--database", external.but(dbname="empty"), "similar", "x")
    assert_one_message(printed, "0001_x.sql.*is not available", "installed")


def test_a_role_that_may_only_read_asks_every_question(
    external: External, command: Callable[..., Printed]
) -> None:
    place = ("--database", external.but(user=READER, password=READER_PASSWORD))
    assert similar(command, *place) == similar(command, "--database", external.url)
    threshold = command(*place, "similar", tiny.NAME, "--threshold", "0.5")
    assert threshold.code == 0, threshold.err
    for report in (("overlap", "--format", "csv"), ("failures", "--format", "csv")):
        printed = command(*place, "report", *report)
        assert printed.code == 0, printed.err
        assert printed.out


def test_a_role_that_may_only_read_is_refused_to_write_in_one_message(
    external: External, command: Callable[..., Printed]
) -> None:
    place = ("--database", external.but(user=READER, password=READER_PASSWORD))
    printed = command(*place, "model", "remove", "resnet18", "--yes")
    assert_one_message(printed, "permission denied for table model", "owner")


def test_the_server_of_somebody_else_is_not_ours_to_start_or_stop(
    external: External, command: Callable[..., Printed]
) -> None:
    for action in ("start", "stop", "status", "url"):
        printed = command("--database", external.url, "db", action)
        assert_one_message(printed, "does not run that server", "--store NAME")
