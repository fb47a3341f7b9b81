"""Every way in which a server is given to people: read-only, standby, hosted, behind a pooler."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from imgsim.__main__ import run
from imgsim.database import binaries, embedded, session
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.settings import ExternalServer, Settings
from tests import tiny
from tests.conftest import Answer, picture

PAGE = Path(__file__).resolve().parents[2] / "docs" / "server.md"
PGBOUNCER = shutil.which("pgbouncer", path=f"/usr/sbin:{os.environ.get('PATH', '')}")

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A server on TCP with a password; its administrator's address."""

    folder: Path
    url: str

    def address(self, **parts: Any) -> str:
        return make_conninfo(self.url, **parts)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def second(reachable_folder: Path) -> Iterator[Server]:
    """A second server, on TCP with a password, fit to be copied by a standby."""
    folder = reachable_folder / "a server of others"
    embedded.ensure_running(folder, 0)
    embedded.stop(folder)
    data = embedded.data_folder(folder)
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write("wal_level = replica\nmax_wal_senders = 4\n")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("local replication all trust\n")
    url = embedded.tcp_url(folder, embedded.ensure_running(folder, 0, free_port()))
    yield Server(folder, url)
    embedded.stop(folder)


@pytest.fixture
def anywhere(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command line in this process, on the place that it names."""

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return call


@pytest.fixture
def store(second: Server) -> Iterator[str]:
    """A tiny store in a database of its own on the second server; its address."""
    name = f"prints_{next(_numbers)}"
    with psycopg.connect(second.url, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
        address = second.address(dbname=name)
        with open_at(address) as opened:
            tiny.fill(opened)
        yield address
        admin.execute(f"drop database {name} with (force)".encode())


def open_at(address: str) -> Connection:
    return database.connect(Settings(ExternalServer(address, "the tests")))


def recipe(heading: str) -> str:
    """The SQL that a section of the page gives to administrators."""
    section = PAGE.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n### ")[0]
    return "\n".join(re.findall(r"```(?:sql|postgresql)\n(.*?)```", section, re.DOTALL))


def make_older(address: str) -> None:
    """As after an ingest: the model's vectors are newer than its lists and pairs."""
    with open_at(address) as opened:
        opened.execute("update imgsim.model set revision = revision + 1")


REPORTS = (
    ("report", "overlap", "--format", "csv"),
    ("report", "documents", "--format", "csv"),
    ("report", "neighbours", "-k", "4", "--format", "csv"),
)


@pytest.fixture
def reader(store: str) -> Iterator[str]:
    """The address of the reader that the page's recipe makes."""
    with psycopg.connect(store, autocommit=True) as admin:
        admin.execute("create table research.captions (key text)")
        admin.execute(recipe("A read-only login for colleagues").replace("…", "r").encode())
        yield make_conninfo(store, user="reader", password="r")
        admin.execute("drop owned by reader")
        admin.execute("drop role reader")


@pytest.mark.parametrize("command", REPORTS, ids=lambda command: command[1])
def test_a_reader_reads_older_lists_and_is_warned(
    anywhere: Callable[..., Answer], store: str, reader: str, command: tuple[str, ...]
) -> None:
    current = anywhere("--database", reader, *command)
    assert current.code == 0, current.err
    assert "older" not in current.err
    make_older(store)
    older = anywhere("--database", reader, *command)
    assert (older.code, older.out) == (0, current.out), older.err
    assert "older than its images" in older.err


def test_a_reader_who_asks_for_lists_to_be_filled_is_refused(
    anywhere: Callable[..., Answer], store: str, reader: str
) -> None:
    make_older(store)
    answer = anywhere("--database", reader, "neighbours", "-k", "4")
    assert answer.code == 1
    assert "permission denied" in answer.err
    assert "next: connect as the owner" in answer.err


def test_a_reader_sees_research_tables_and_those_made_later(store: str, reader: str) -> None:
    with psycopg.connect(store, autocommit=True) as admin:
        admin.execute("create table research.later (key text)")
    with psycopg.connect(reader) as opened:
        assert opened.execute("select count(*) from research.captions").fetchone() == (0,)
        assert opened.execute("select count(*) from research.later").fetchone() == (0,)


def test_a_store_without_lists_tells_a_reader_who_fills_them(
    anywhere: Callable[..., Answer], store: str, reader: str
) -> None:
    with open_at(store) as opened:
        opened.execute("delete from imgsim.neighbour_state")
    answer = anywhere("--database", reader, "report", "overlap")
    assert answer.code == 1
    assert "imgsim neighbours" in answer.err


@pytest.fixture(scope="module")
def standby(second: Server, reachable_folder: Path) -> Iterator[Callable[[str], str]]:
    """A hot standby of the second server: gives the address there of a database here."""
    folder, user = reachable_folder / "standby", binaries.server_user()
    sockets = reachable_folder / "standby run"
    for made in (folder, sockets):
        made.mkdir(mode=0o700)
        if user:
            shutil.chown(made, user.uid, user.gid)
    primary = embedded.running_now(second.folder)
    assert primary is not None
    programs, port = binaries.server_programs(), free_port()
    source = ["-h", str(primary.socket_folder), "-p", str(primary.port), "-U", "imgsim"]
    copied = binaries.run_as(
        user, [str(programs / "pg_basebackup"), *source, "-D", str(folder), "-R", "-c", "fast"]
    )
    assert copied.returncode == 0, copied.stderr
    with (folder / "postgresql.conf").open("a") as configuration:
        configuration.write(f"port = {port}\nunix_socket_directories = '{sockets}'\n")
    control = [str(programs / "pg_ctl"), "-D", str(folder), "-w", "-t", "60"]
    started = binaries.run_as(user, [*control, "-l", str(sockets / "log"), "start"])
    assert started.returncode == 0, started.stdout

    def there(address: str) -> str:
        """The address on the standby, once it has all that the second server has."""
        with (
            psycopg.connect(address, autocommit=True) as here,
            psycopg.connect(make_conninfo(address, port=port), autocommit=True) as copy,
        ):
            row = here.execute("select pg_current_wal_insert_lsn()::text").fetchone()
            assert row is not None
            copy.execute(
                "do $$ begin while pg_last_wal_replay_lsn() < '" + row[0] + "' loop "
                "perform pg_sleep(0.01); end loop; end $$"
            )
        return make_conninfo(address, port=port)

    yield there
    binaries.run_as(user, [*control, "-m", "immediate", "stop"])


@pytest.mark.parametrize("command", REPORTS, ids=lambda command: command[1])
def test_a_standby_reads_older_lists_and_warns(
    anywhere: Callable[..., Answer],
    store: str,
    standby: Callable[[str], str],
    command: tuple[str, ...],
) -> None:
    current = anywhere("--database", store, *command)
    make_older(store)
    older = anywhere("--database", standby(store), *command)
    assert (older.code, older.out) == (0, current.out), older.err
    assert "older than its images" in older.err


def test_a_standby_refuses_to_write_and_says_where_to(
    anywhere: Callable[..., Answer], store: str, standby: Callable[[str], str]
) -> None:
    make_older(store)
    for command in (("neighbours", "-k", "4"), ("model", "remove", "resnet18", "--yes")):
        answer = anywhere("--database", standby(store), *command)
        assert answer.code == 1
        assert "read-only transaction" in answer.err or "recovery" in answer.err
        assert "next: this server only reads" in answer.err


def test_a_standby_whose_schema_is_older_says_where_to_bring_it_up_to_date(
    anywhere: Callable[..., Answer], store: str, standby: Callable[[str], str]
) -> None:
    with open_at(store) as opened:
        opened.execute("delete from imgsim.migration where name = 'sql/overlap.sql'")
    answer = anywhere("--database", standby(store), "report", "overlap")
    assert answer.code == 1
    assert "imgsim db migrate" in answer.err


A, B = "sixth", "000010000000010_0"
WORK = (
    ("neighbours", "-k", "3"),
    ("pairs", "--threshold", "0.5"),
    ("verify",),
    ("verify", A, B),
    ("verdict", A, B, "same block", "--by", "Mary"),
    ("group",),
)
"""What fills a store with lists, pairs, evidence, verdicts and groups."""
READING = (
    ("verify", A, "000010000100020_0"),
    ("similar", A, "--format", "csv"),
    ("similar", A, "--threshold", "0.5", "--format", "csv"),
    ("report", "neighbours", "-k", "3", "--format", "csv"),
    ("report", "evidence", "--format", "csv"),
    ("report", "verdicts", "--format", "csv"),
    ("report", "groups", "--format", "csv"),
    ("report", "reuse", "--format", "csv"),
    ("report", "threshold", "--format", "csv"),
    ("report", "calibration", "--format", "csv"),
    ("report", "coverage", "--format", "csv"),
    ("model", "list", "--format", "csv"),
)
WRITING_FILES = (
    ("plot", "grid", A),
    ("plot", "overlay", A, B),
    ("plot", "timeline", A, "--threshold", "0.5"),
    ("plot", "around", A),
    ("plot", "group", "1"),
    ("plot", "map", "--threshold", "0.9"),
    (
        "plot",
        "threshold",
    ),
    ("export", "images"),
    ("export", "neighbours", "-k", "3"),
    ("export", "neighbours", "-k", "3", "--other-documents-only"),
    ("export", "pairs", "--threshold", "0.5"),
    ("export", "embeddings"),
    ("export", "verdicts"),
    ("export", "groups"),
    ("export", "group-members"),
)
CHANGING = (
    ("verify", A, "000010000100020_0", "--again"),
    ("verify", "--again"),
    ("verdict", A, B, "copy", "--by", "Mary"),
    ("group", "--least", "0.5"),
    ("neighbours", "-k", "30"),
    ("pairs", "--threshold", "0.4"),
    ("model", "remove", "resnet18-print", "--yes"),
)


@pytest.fixture(scope="module")
def worked(second: Server, reachable_folder: Path) -> str:
    """A store on the second server in which everything was done once; its address."""
    scans = reachable_folder / "scans of others"
    scans.mkdir()
    for number in range(5):
        picture(number).save(scans / f"0000100{number:03}00{number + 1:02}0_0.png")
    picture(0).save(scans / f"{A}.png")
    address = second.address(dbname="worked")
    with psycopg.connect(second.url, autocommit=True) as admin:
        admin.execute("create database worked")
    for command in (("ingest", str(scans), "--model", "resnet18-print"), *WORK):
        assert run(["--database", address, *command]) == 0, command
    return address


def files_of(command: tuple[str, ...], folder: Path) -> list[str]:
    """A command with a place in the folder for what it writes."""
    ending = "png" if command[0] == "plot" else "parquet"
    number = len(list(folder.iterdir()))
    place = folder / f"{number}"
    place.mkdir()
    return [*command, "-o", str(place / f"x.{ending}")]


def at_work(
    anywhere: Callable[..., Answer], address: str, folder: Path
) -> list[tuple[tuple[str, ...], str]]:
    """What everybody who may read can do, and what is answered."""
    folder.mkdir(exist_ok=True)
    answers: list[tuple[tuple[str, ...], str]] = []
    for command in READING:
        answer = anywhere("--database", address, *command)
        assert answer.code == 0, (command, answer.err)
        answers.append((command, answer.out))
    for figure in WRITING_FILES:
        answer = anywhere("--database", address, *files_of(figure, folder))
        assert answer.code == 0, (figure, answer.err)
        shown = [line for line in answer.err.splitlines() if str(folder) not in line]
        answers.append((figure, "\n".join(shown)))
    dump = folder / "dump.sql.gz"
    assert anywhere("--database", address, "db", "dump", dump).code == 0
    assert anywhere("--database", address, "doctor").code == 0
    return answers


def test_a_reader_and_a_standby_do_all_that_changes_nothing(
    anywhere: Callable[..., Answer],
    worked: str,
    standby: Callable[[str], str],
    tmp_path: Path,
) -> None:
    with psycopg.connect(worked, autocommit=True) as admin:
        admin.execute(recipe("A read-only login for colleagues").replace("…", "r").encode())
    try:
        places = {
            "owner": worked,
            "reader": make_conninfo(worked, user="reader", password="r"),
            "standby": standby(worked),
        }
        answered = {}
        for who, address in places.items():
            answered[who] = at_work(anywhere, address, tmp_path / who)
        assert answered["reader"] == answered["owner"]
        assert answered["standby"] == answered["owner"]
        for who, hint in (("reader", "connect as the owner"), ("standby", "only reads")):
            for command in CHANGING:
                answer = anywhere("--database", places[who], *command)
                assert answer.code == 1, (who, command, answer.out, answer.err)
                assert hint in answer.err, (who, command, answer.err)
        assert at_work(anywhere, worked, tmp_path / "owner again") == answered["owner"]
    finally:
        with psycopg.connect(worked, autocommit=True) as admin:
            admin.execute("drop owned by reader")
            admin.execute("drop role reader")


@pytest.mark.parametrize(
    ("heading", "role"),
    [
        ("A database that you own", "historian"),
        ("A database that an administrator gives you", "tenant"),
        ("A host with pgvector in a schema of its own", "guest"),
    ],
)
def test_a_role_set_up_by_the_pages_recipe_ingests_and_asks(
    anywhere: Callable[..., Answer],
    second: Server,
    folder: Path,
    tmp_path: Path,
    heading: str,
    role: str,
) -> None:
    statements = [s for s in recipe(heading).replace("…", "a secret").split(";\n") if s.strip()]
    if "create database" not in recipe(heading):
        statements.insert(0, "create database prints")
    try:
        name = "imgsim"
        for statement in statements:
            with psycopg.connect(second.address(dbname=name), autocommit=True) as admin:
                admin.execute(statement.encode())
            name = "prints" if "create database" in statement else name
        address = second.address(dbname="prints", user=role, password="a secret")
        taken = anywhere("--database", address, "ingest", folder, "--model", "resnet18-print")
        assert taken.code == 0, taken.err
        for command in WORK:
            answer = anywhere("--database", address, *command)
            assert answer.code == 0, (command, answer.err)
        at_work(anywhere, address, tmp_path / "there")
        removed = anywhere(
            "--database", address, "remove", folder / "below", "--yes", "--with-verdicts"
        )
        assert removed.code == 0, removed.err
    finally:
        with psycopg.connect(second.url, autocommit=True) as admin:
            admin.execute("drop database if exists prints with (force)")
            admin.execute(f"drop role if exists {role}".encode())


@pytest.fixture
def pooler(second: Server, tmp_path: Path) -> Iterator[Callable[[str, str], str]]:
    """PgBouncer before the second server: gives the address there in a mode of pooling."""
    if PGBOUNCER is None:
        pytest.skip("PgBouncer is not here")
    running: list[subprocess.Popen[bytes]] = []
    parts = conninfo_to_dict(second.url)

    def start(address: str, mode: str) -> str:
        port = free_port()
        users = tmp_path / "users"
        users.write_text(f'"imgsim" "{parts["password"]}"\n')
        configuration = tmp_path / f"{mode}.ini"
        configuration.write_text(
            f"""
            [databases]
            * = host=127.0.0.1 port={parts["port"]}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {port}
            auth_type = scram-sha-256
            auth_file = {users}
            pool_mode = {mode}
            unix_socket_dir =
            """.replace("            ", "")
        )
        tmp_path.chmod(0o755)
        for parent in tmp_path.parents[:3]:
            if os.access(parent, os.W_OK) and str(parent) != "/tmp":
                parent.chmod(parent.stat().st_mode | 0o055)
        user = binaries.server_user()
        process = subprocess.Popen(
            [PGBOUNCER, str(configuration)],
            user=user.uid if user else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        running.append(process)
        through = make_conninfo(address, port=port)
        while True:
            assert process.poll() is None
            try:
                psycopg.connect(through).close()
            except psycopg.OperationalError:
                continue
            return through

    yield start
    for process in running:
        process.terminate()
        process.wait()


def advisory_locks(address: str) -> int:
    with psycopg.connect(address) as opened:
        row = opened.execute("select count(*) from pg_locks where locktype = 'advisory'").fetchone()
    assert row is not None
    return int(row[0])


def test_behind_a_pooler_in_transaction_mode_questions_are_answered(
    anywhere: Callable[..., Answer], store: str, pooler: Callable[[str, str], str]
) -> None:
    through = pooler(store, "transaction")
    for command in (*REPORTS, ("similar", tiny.NAME, "-k", "3")):
        expected = anywhere("--database", store, *command)
        for _ in range(2):
            assert anywhere("--database", through, *command).out == expected.out
    with database.open_connection(Settings(ExternalServer(through, "the tests"))) as opened:
        for _ in range(12):
            with database.open_connection(Settings(ExternalServer(through, "it"))) as other:
                other.execute("select 1")
            assert opened.execute("select %s::int", [7]).fetchone() == (7,)


def test_behind_a_pooler_in_transaction_mode_settings_that_change_answers_are_said(
    anywhere: Callable[..., Answer], store: str, pooler: Callable[[str, str], str]
) -> None:
    through = pooler(store, "transaction")
    assert "pooler" not in anywhere("--database", through, "report", "failures").err
    with open_at(store) as opened:
        opened.execute("alter role current_user set extra_float_digits = -3")
    try:
        said = " ".join(
            anywhere("--database", pooler(store, "transaction"), "report", "failures").err.split()
        )
    finally:
        with open_at(store) as opened:
            opened.execute("alter role current_user reset extra_float_digits")
    assert "extra_float_digits is '-3', not '1'" in said
    assert "datestyle" not in said.lower()


def test_behind_a_pooler_in_transaction_mode_nothing_takes_a_lock_that_stays(
    anywhere: Callable[..., Answer],
    store: str,
    folder: Path,
    pooler: Callable[[str, str], str],
) -> None:
    through = pooler(store, "transaction")
    make_older(store)
    for command in (
        ("ingest", folder, "--model", "resnet18-print"),
        ("neighbours", "-k", "4"),
        ("report", "overlap"),
    ):
        answer = anywhere("--database", through, *command)
        assert answer.code == 1, command
        assert "pooler in transaction mode" in answer.err
        assert "next: connect to the server itself" in answer.err
    with open_at(store) as opened:
        opened.execute("delete from imgsim.migration where name = 'sql/overlap.sql'")
    assert "pooler in transaction mode" in anywhere("--database", through, "db", "migrate").err
    assert advisory_locks(store) == 0


def test_behind_a_pooler_in_session_mode_all_works(
    anywhere: Callable[..., Answer], store: str, pooler: Callable[[str, str], str]
) -> None:
    through = pooler(store, "session")
    make_older(store)
    answer = anywhere("--database", through, "neighbours", "-k", "4")
    assert answer.code == 0, answer.err
    assert advisory_locks(store) == 0


def test_a_connection_to_the_server_itself_is_no_poolers(store: str) -> None:
    with open_at(store) as opened:
        assert not session.changes_process(opened)
        assert opened.prepare_threshold is not None


def test_the_doctor_tells_of_a_pooler_that_changes_processes(
    anywhere: Callable[..., Answer], store: str, pooler: Callable[[str, str], str]
) -> None:
    assert "pooler" not in anywhere("--database", store, "doctor").out
    assert "pooler" not in anywhere("--database", pooler(store, "session"), "doctor").out
    assert (
        "pooler in transaction mode"
        in anywhere("--database", pooler(store, "transaction"), "doctor").out
    )


def test_the_doctor_warns_where_others_may_create_on_the_path(
    anywhere: Callable[..., Answer], store: str, reader: str
) -> None:
    assert "others may create functions" not in anywhere("--database", store, "doctor").out
    with psycopg.connect(store, autocommit=True) as admin:
        admin.execute("grant create on schema public to reader")
    told = anywhere("--database", store, "doctor").out
    assert "others may create functions in the schema public" in told
    assert "others may create functions" not in anywhere("--database", reader, "doctor").out


def test_a_full_server_is_told_as_full(
    anywhere: Callable[..., Answer], store: str, reader: str
) -> None:
    with psycopg.connect(store, autocommit=True) as admin:
        admin.execute("alter role reader connection limit 0")
    answer = anywhere("--database", reader, "similar", tiny.NAME)
    assert answer.code == 1
    assert "too many connections" in answer.err
    assert "next: wait until others have disconnected" in answer.err
    assert "password" not in answer.err


def test_what_a_server_does_not_support_is_not_laid_on_pgvector(
    anywhere: Callable[..., Answer], store: str
) -> None:
    with open_at(store) as opened:
        with pytest.raises(psycopg.errors.FeatureNotSupported) as caught:
            opened.execute("select count(*) from imgsim.image for update")
        assert "pgvector" not in database.translate(caught.value).hint


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:s3c{}ret@127.0.0.1:1/d",
        "postgresql://:s3c{}ret@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=u&password=s3c{}ret",
        "host=127.0.0.1 port=1 password=s3c{}ret",
    ],
)
@pytest.mark.parametrize("mark", ["%", "@", " ", "/", "?", "#", ":", "%zz", "%40", "@@", "'"])
def test_no_piece_of_a_password_is_printed(
    anywhere: Callable[..., Answer], address: str, mark: str
) -> None:
    for command in (("similar", "x"), ("doctor",), ("psql", "-c", "select 1"), ("db", "url")):
        answer = anywhere("--database", address.format(mark), *command)
        assert answer.code == 1
        printed = answer.out + answer.err
        assert "s3c" not in printed
        assert not re.search(r"\bret\b", printed)


def test_a_second_connection_needs_no_service_file_again(
    store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    parts = conninfo_to_dict(store)
    lines = ["[prints]", *(f"{name}={value}" for name, value in parts.items())]
    (tmp_path / "services").write_text("\n".join(lines) + "\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    monkeypatch.setenv("PGSERVICE", "prints")
    with open_at("service=prints") as opened:
        (tmp_path / "services").unlink()
        with database.beside(opened) as other:
            assert other.info.dbname == parts["dbname"]
