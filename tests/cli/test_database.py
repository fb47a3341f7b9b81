"""`imgsim db`, `imgsim psql` and `imgsim doctor`."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from imgsim.__main__ import run
from imgsim.database import embedded
from imgsim.database.connection import Connection
from imgsim.settings import ExternalServer, Settings
from tests import tiny
from tests.conftest import Answer

INVALIDATE = """
update pg_index set indisvalid = false
where indexrelid = 'imgsim.embedding_resnet50_hnsw'::regclass
"""
ROOT = Path(__file__).resolve().parents[2]
Imgsim = Callable[..., Answer]


@dataclass(frozen=True)
class Store:
    """A store of its own, for what a shared server would not survive."""

    folder: Path

    def __call__(self, *arguments: object, **environment: str) -> Answer:
        return imgsim_process("--store", self.folder, *arguments, **environment)


def imgsim_process(*arguments: object, **environment: str) -> Answer:
    """Run a command line in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "imgsim", *(str(argument) for argument in arguments)],
        cwd=ROOT,
        env={**os.environ, "IMGSIM_IDLE_MINUTES": "0", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def store(reachable_folder: Path) -> Iterator[Store]:
    """One store for the module; a test leaves its server in any state."""
    folder = reachable_folder / "store of the commands"
    yield Store(folder)
    embedded.stop(folder)


@pytest.fixture
def anywhere(capsys: pytest.CaptureFixture[str]) -> Imgsim:
    """Run a command line in this process, on the place that it names."""

    def call(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return call


def address(settings: Settings) -> str:
    assert isinstance(settings.target, ExternalServer)
    return settings.target.conninfo


def findings(answer: Answer) -> dict[str, str]:
    """What the doctor said: its findings by what they are about, with their next steps."""
    told: dict[str, str] = {}
    for part in re.split(r"^(?=\w)", answer.out, flags=re.MULTILINE):
        if words := part.split(maxsplit=2):
            told[words[1]] = f"{told.get(words[1], '')}{words[0]} {words[2]}"
    return told


def test_start_status_url_and_stop_tell_of_one_server(store: Store) -> None:
    started = store("db", "start")
    assert started.code == 0, started.err
    server = embedded.running_now(store.folder)
    assert server is not None
    assert f"process {server.pid}" in started.err
    with psycopg.connect(started.out.strip()) as opened:
        assert opened.execute("select count(*) from imgsim.image").fetchone() == (0,)

    status = store("db", "status")
    assert status.code == 0
    assert str(store.folder) in status.err
    assert f"process {server.pid}" in status.err
    assert "tcp      no" in status.err

    assert store("db", "url").out == started.out == f"{server.url()}\n"
    assert store("db", "stop") == Answer(0, "", "stopped\n")
    assert store("db", "stop") == Answer(0, "", "it was not running\n")
    assert "not running; the next command starts it" in store("db", "status").err


def test_the_status_of_a_store_that_is_not_there_makes_nothing(reachable_folder: Path) -> None:
    status = Store(reachable_folder / "nowhere")("db", "status")
    assert status.code == 0
    assert "(not made yet)" in status.err
    assert not (reachable_folder / "nowhere").exists()


def test_a_server_with_a_port_prints_a_url_with_its_password(store: Store) -> None:
    store("db", "stop")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = store("db", "start", "--port", port)
    assert started.code == 0, started.err
    with psycopg.connect(started.out.strip()) as opened:
        assert opened.execute("select inet_server_port()").fetchone() == (port,)
    assert store("db", "url").out == started.out
    assert f"tcp      127.0.0.1:{port}" in store("db", "status").err
    other = store("db", "start", "--port", port + 1 if port < 65535 else port - 1)
    assert other.code == 1
    assert "next: stop it first: imgsim db stop" in other.err
    store("db", "stop")


def test_migrate_says_what_it_applied_and_then_that_all_is_current(
    imgsim: Imgsim, connection: Connection
) -> None:
    connection.execute("delete from imgsim.migration where name = 'sql/failure.sql'")
    first = imgsim("db", "migrate")
    assert first.code == 0
    assert "applied sql/failure.sql\n" in first.err
    assert imgsim("db", "migrate") == Answer(0, "", "up to date\n")


def test_psql_runs_a_statement_on_the_store(store: Store) -> None:
    asked = store("psql", "-At", "-c", "select count(*) from imgsim.image", "-c", "select 'it''s'")
    assert asked == Answer(0, "0\nit's\n", "")


def test_psql_runs_a_file_and_its_error_is_the_exit_code(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "a question.sql"
    file.write_text("select 6 * 7;\n")
    assert store("psql", "-At", "-f", file) == Answer(0, "42\n", "")
    file.write_text("select 1 / 0;\n")
    failed = store("psql", "-v", "ON_ERROR_STOP=1", "-f", file)
    assert failed.code == 3
    assert "division by zero" in failed.err


def test_psql_on_a_store_is_not_led_away_by_libpq_variables(store: Store) -> None:
    asked = store("psql", "-Atc", "select current_user", PGHOSTADDR="127.0.0.1", PGUSER="nobody")
    assert asked == Answer(0, "imgsim\n", "")


def test_psql_takes_a_password_out_of_the_arguments_that_everybody_can_read(
    settings: Settings,
) -> None:
    secret = make_conninfo(address(settings), password="s3cret")
    arguments = ("psql", "-At", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline")
    if not Path("/proc/self/cmdline").exists():
        pytest.skip("no /proc here")
    asked = imgsim_process(*arguments, IMGSIM_DATABASE_URL=secret)
    assert "psql" in asked.out
    assert "s3cret" not in asked.out


def test_the_doctor_finds_a_new_store_sound_and_says_how_to_begin(imgsim: Imgsim) -> None:
    answer = imgsim("doctor")
    told = findings(answer)
    assert answer.code == 0
    assert told["server"].startswith("ok")
    assert told["pgvector"].startswith("ok")
    assert told["schema"].startswith("ok")
    assert re.search(r"none yet\s+next: imgsim ingest FOLDER", told["pictures"])


def test_the_doctor_tells_of_a_filled_store(imgsim: Imgsim, connection: Connection) -> None:
    tiny.fill(connection)
    answer = imgsim("doctor")
    told = findings(answer)
    assert answer.code == 0
    assert told["pictures"] == "ok 12\n"
    for model in ("resnet18", "resnet50"):
        assert f"ok {model}, synthetic: 12 pictures, index valid, lists of 4" in told["model"]


@pytest.mark.parametrize(
    ("harm", "told_of"),
    [
        ("drop index imgsim.embedding_resnet50_hnsw", "its index is missing"),
        (INVALIDATE, "its index is invalid"),
    ],
)
def test_the_doctor_says_how_to_mend_an_index_and_the_step_mends_it(
    imgsim: Imgsim, connection: Connection, settings: Settings, harm: str, told_of: str
) -> None:
    tiny.fill(connection)
    connection.execute(harm.encode())
    told = findings(imgsim("doctor"))["model"]
    assert told_of in told
    step = re.search(r"next: imgsim psql -c \"(.*)\"", told)
    assert step is not None
    mended = imgsim_process("--database", address(settings), "psql", "-At", "-c", step[1])
    assert (mended.code, mended.out) == (0, "t\n")
    assert "resnet50, synthetic: 12 pictures, index valid" in findings(imgsim("doctor"))["model"]


@pytest.mark.parametrize(
    ("harm", "told_of", "next_step"),
    [
        (
            "delete from imgsim.embedding_resnet18 where image_id = 1",
            "it has not looked at 1 picture",
            "imgsim ingest --model resnet18",
        ),
        (
            "update imgsim.model set revision = revision + 1",
            "its neighbour lists are out of date",
            "imgsim neighbours",
        ),
        (
            "insert into imgsim.ingest_failure (path, stage, reason) values ('a', 'read', 'b')",
            "1 file",
            "imgsim report failures",
        ),
        (
            "insert into imgsim.migration values ('migrations/9999_x.sql', 'c', '9.9')",
            "by a newer imgsim",
            "upgrade imgsim: ",
        ),
    ],
)
def test_the_doctor_has_a_next_step_for(
    imgsim: Imgsim, connection: Connection, harm: str, told_of: str, next_step: str
) -> None:
    tiny.fill(connection)
    connection.execute(harm.encode())
    told = imgsim("doctor").out
    assert re.search(f"{told_of}.*\n? *next: {next_step}", told), told


def test_the_doctor_of_a_server_that_is_not_there_tells_the_rest_too(
    anywhere: Imgsim,
) -> None:
    answer = anywhere("--database", "postgresql://x@127.0.0.1:1/x", "doctor")
    told = findings(answer)
    assert answer.code == 1
    assert answer.err == ""
    assert told["imgsim"].startswith("ok")
    assert re.search(r"bad cannot reach the database: .*refused\s+next: see", told["database"])


def test_the_doctor_of_a_database_that_may_not_be_read_says_so(
    anywhere: Imgsim, connection: Connection, settings: Settings
) -> None:
    row = connection.execute("select 'u' || md5(random()::text)").fetchone()
    assert row is not None
    connection.execute(f"create role {row[0]} login".encode())
    connection.execute(f"grant usage on schema imgsim to {row[0]}".encode())
    connection.execute(f"grant select on imgsim.migration to {row[0]}".encode())
    answer = anywhere("--database", make_conninfo(address(settings), user=row[0]), "doctor")
    assert answer.code == 1
    assert re.search(r"bad permission denied for table \w+\s+next: ", findings(answer)["database"])


def test_the_doctor_of_a_store_that_cannot_be_made_says_so(
    anywhere: Imgsim, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    answer = anywhere("--store", tmp_path / "file", "doctor")
    assert answer.code == 1
    assert "bad  database" in answer.out
    assert "File exists" in answer.out
