"""The embedded PostgreSQL server: a small supervisor around initdb, postgres and pg_ctl.

A store is a folder with one server in it:

    postgresql-18/    PostgreSQL's data
    run/              its Unix socket (or a short folder in /tmp where this path is too long)
    server.log        what the server said
    server.lock       held while somebody initialises, starts or stops it
    password          only once a TCP port was asked for

The server starts on first need, is shared by every imgsim process of the user and survives them.
It stops when asked, or when nobody has been connected for a while (`imgsim.database.idle`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import filelock
import psutil
import psycopg
from psycopg import conninfo, sql

from imgsim.database import binaries, tuning
from imgsim.errors import EmbeddedServerError

DATABASE = "imgsim"
ROLE = "imgsim"
SOCKET_PORT = 5432
LONGEST_SOCKET_PATH = 100
START_SECONDS = 900
ORPHAN_SECONDS = 20

HOST_BASED_AUTHENTICATION = """\
local all all              trust
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
"""


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, its process id, and since when (seconds of the epoch)."""

    socket_folder: Path
    port: int
    pid: int
    started_at: int
    listens_on_tcp: bool

    def conninfo(self, database: str = DATABASE) -> str:
        """A libpq keyword string for the Unix socket."""
        return conninfo.make_conninfo(
            host=str(self.socket_folder), port=self.port, user=ROLE, dbname=database
        )

    def url(self) -> str:
        """A URL for the Unix socket, for psql, pandas and others."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql:///{DATABASE}?host={host}&port={self.port}&user={ROLE}"


def data_folder(store: Path) -> Path:
    """PostgreSQL's data folder in a store; a new major version gets a new one."""
    return store / f"postgresql-{binaries.POSTGRESQL_MAJOR}"


def log_file(store: Path) -> Path:
    """What the server of a store has logged."""
    return store / "server.log"


def running(store: Path) -> Server | None:
    """The server of a store as its pid file tells; it may have died without removing that."""
    try:
        lines = (data_folder(store) / "postmaster.pid").read_text().splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":
        return None
    return Server(Path(lines[4]), int(lines[3]), int(lines[0]), int(lines[2]), bool(lines[5]))


def running_now(store: Path) -> Server | None:
    """The server of a store, seen to be alive."""
    server = running(store)
    return server if server and _is_ours(server.pid, data_folder(store)) else None


def ensure_running(store: Path, idle_minutes: float, port: int | None = None) -> Server:
    """The server of a store, initialised and started if need be.

    Args:
        idle_minutes: how long after its last client it stops by itself; 0 for never.
        port: listen on this TCP port of the loopback address too (and do not stop when idle).

    Raises:
        EmbeddedServerError: it cannot be initialised or started; the message says why.
    """
    user = binaries.server_user()
    _make_store(store, user)
    with _lock(store):
        server = running_now(store)
        if server is None:
            _clear_stale_pid_file(store)
            _initialise(store, user)
            _configure(store, user, port)
            server = _start(store, user)
            if idle_minutes > 0 and port is None:
                _watch(store, idle_minutes)
        elif port is not None and not (server.listens_on_tcp and server.port == port):
            raise EmbeddedServerError(
                "the server is running already, without that port",
                "stop it first: imgsim db stop",
            )
        _ensure_database(server)
        if port is not None:
            _set_password(store, server, user)
        return server


def stop(store: Path) -> bool:
    """Stop the server of a store, disconnecting whoever is connected; False if none ran."""
    if not data_folder(store).exists():
        return False
    with _lock(store):
        return _stop_locked(store)


def stop_if(store: Path, condition: psycopg.Connection[tuple[int]], statement: str) -> bool:
    """Stop the server if `statement`, asked once no new command can start, still returns 0."""
    with _lock(store):
        row = condition.execute(statement.encode()).fetchone()
        if row is None or row[0] != 0:
            return False
        condition.close()
        return _stop_locked(store)


def tcp_url(store: Path, server: Server) -> str:
    """The URL of a server that was started with a TCP port, password included."""
    password = quote((store / "password").read_text().strip(), safe="")
    return f"postgresql://{ROLE}:{password}@127.0.0.1:{server.port}/{DATABASE}"


def _make_store(store: Path, user: binaries.ServerUser | None) -> None:
    try:
        store.mkdir(parents=True, exist_ok=True)
        if user:
            os.chown(store, user.uid, user.gid)
        store.chmod(0o700)
    except OSError as exc:
        raise EmbeddedServerError(
            f"cannot use {store} as a store: {exc.strerror}",
            "give another folder with --store, or IMGSIM_HOME for everything imgsim keeps",
        ) from exc
    if user and binaries.run_as(user, ["/bin/sh", "-c", 'cd "$0"', str(store)]).returncode:
        raise binaries.unreachable(store, user)


def _lock(store: Path) -> filelock.BaseFileLock:
    return filelock.FileLock(store / "server.lock", timeout=START_SECONDS)


def _is_ours(pid: int, data: Path) -> bool:
    try:
        return str(data) in psutil.Process(pid).cmdline()
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _clear_stale_pid_file(store: Path) -> None:
    # After a crash or a reboot the pid in its lock files may belong to another program, and
    # PostgreSQL would refuse to start beside it.
    pid_file = data_folder(store) / "postmaster.pid"
    try:
        lines = pid_file.read_text().splitlines()
        pid = int(lines[0])
    except (OSError, ValueError, IndexError):
        return
    if _is_ours(pid, data_folder(store)):
        return
    pid_file.unlink(missing_ok=True)
    if len(lines) > 4 and lines[4]:
        for socket_lock in Path(lines[4]).glob(".s.PGSQL.*.lock"):
            socket_lock.unlink(missing_ok=True)


def _initialise(store: Path, user: binaries.ServerUser | None) -> None:
    data = data_folder(store)
    if data.exists():
        return
    for unfinished in store.glob(f"{data.name}.*"):
        shutil.rmtree(unfinished)
    fresh = Path(tempfile.mkdtemp(prefix=f"{data.name}.", dir=store))
    if user:
        os.chown(fresh, user.uid, user.gid)
    made = binaries.run_as(
        user,
        [
            str(binaries.server_programs() / "initdb"),
            *("-D", str(fresh), "-U", ROLE, "--encoding=UTF8", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
            *("--auth-local=trust", "--auth-host=reject"),
        ],
    )
    if made.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise EmbeddedServerError(
            f"cannot set up a database in {store}: {_last_lines(made.stderr)}",
            "see that the disk has room (some 50 MB to begin with) and the folder can be written",
        )
    with (fresh / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude = 'imgsim.conf'\n")
    (fresh / "pg_hba.conf").write_text(HOST_BASED_AUTHENTICATION)
    fresh.rename(data)


def _configure(store: Path, user: binaries.ServerUser | None, port: int | None) -> None:
    # A list setting: the path is quoted once as a list item and once as a value.
    sockets = '"' + str(_socket_folder(store, user)).replace('"', '""') + '"'
    values = tuning.settings() | {
        "listen_addresses": "127.0.0.1" if port else "",
        "port": str(port or SOCKET_PORT),
        "unix_socket_directories": sockets,
        "unix_socket_permissions": "0700",
        "log_timezone": "UTC",
    }
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in values.items()]
    header = "# Written by imgsim at every start, from this machine's memory and cores.\n"
    _write_private(data_folder(store) / "imgsim.conf", header + "\n".join(lines) + "\n", user)


def _socket_folder(store: Path, user: binaries.ServerUser | None) -> Path:
    folder = store / "run"
    longest = os.fsencode(folder / ".s.PGSQL.65535.lock")
    # libpq reads a comma as the end of one host and the beginning of the next.
    if len(longest) > LONGEST_SOCKET_PATH or b"," in longest:
        name = hashlib.sha256(os.fsencode(store)).hexdigest()[:12]
        folder = Path("/tmp") / f"imgsim-{os.geteuid()}-{name}"  # noqa: S108
    folder.mkdir(mode=0o700, exist_ok=True)
    if user:
        os.chown(folder, user.uid, user.gid)
    found = folder.lstat()
    owner = user.uid if user else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise EmbeddedServerError(
            f"{folder} belongs to somebody else", "choose a store with a shorter path"
        )
    folder.chmod(0o700)
    return folder


def _start(store: Path, user: binaries.ServerUser | None) -> Server:
    give_up = time.monotonic() + ORPHAN_SECONDS
    while True:
        log_start = log_file(store).stat().st_size if log_file(store).exists() else 0
        postgres = binaries.server_programs() / "postgres"
        pid = _detach([str(postgres), "-D", str(data_folder(store))], log_file(store), user)
        server = _wait_until_ready(store, pid)
        if server:
            return server
        said = log_file(store).read_bytes()[log_start:].decode(errors="replace")
        # A server that was killed, and its children, take a moment to be gone.
        leaving = "is still in use" in said or "already exists" in said
        if not leaving or time.monotonic() > give_up:
            raise EmbeddedServerError(
                f"the database server did not start: {_last_lines(said)}",
                f"its log is {log_file(store)}",
            )
        time.sleep(0.5)


def _wait_until_ready(store: Path, pid: int) -> Server | None:
    """The server once it accepts connections; None if it ended first (recovery can be long)."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        server = running(store)
        if server and server.pid == pid:
            return server
        if not psutil.pid_exists(pid):
            return None
        time.sleep(0.02)
    raise EmbeddedServerError(
        f"the database server is not ready after {START_SECONDS} seconds",
        f"it may still be recovering: see {log_file(store)} and try again",
    )


def _detach(arguments: list[str], log: Path, user: binaries.ServerUser | None) -> int:
    """Start a program that outlives this one, its output appended to `log`; its process id.

    The shell only puts it into the background, so that it is nobody's child when it ends.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    started = subprocess.run(
        ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 </dev/null & echo $!', str(log), *arguments],
        env={**clean, "LC_ALL": "C"},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o077,
        start_new_session=True,
        check=True,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )
    return int(started.stdout)


def _watch(store: Path, idle_minutes: float) -> None:
    package_parent = Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path.insert(0, {str(package_parent)!r}); "
    program += "from imgsim.database.idle import main; main()"
    arguments = [sys.executable, "-c", program, str(store), str(idle_minutes)]
    _detach(arguments, store / "idle.log", None)


def _stop_locked(store: Path) -> bool:
    if running_now(store) is None:
        return False
    stopped = binaries.run_as(
        binaries.server_user(),
        [
            str(binaries.server_programs() / "pg_ctl"),
            *("-D", str(data_folder(store)), "-m", "fast", "-w", "-t", "300", "stop"),
        ],
    )
    if stopped.returncode:
        raise EmbeddedServerError(
            f"the database server did not stop: {_last_lines(stopped.stderr or stopped.stdout)}",
            f"its log is {log_file(store)}",
        )
    return True


def _ensure_database(server: Server) -> None:
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        found = connection.execute("select from pg_database where datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _set_password(store: Path, server: Server, user: binaries.ServerUser | None) -> None:
    path = store / "password"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24) + "\n", user)
    statement = sql.SQL("alter role {} password {}").format(
        sql.Identifier(ROLE), sql.Literal(path.read_text().strip())
    )
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(statement)


def _write_private(path: Path, text: str, user: binaries.ServerUser | None) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    if user:
        os.chown(temporary, user.uid, user.gid)
    Path(temporary).rename(path)


def _last_lines(text: str, count: int = 3) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-count:]) or "it said nothing"
