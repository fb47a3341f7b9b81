"""The embedded PostgreSQL server: a small supervisor around initdb, postgres and pg_ctl.

A store (`imgsim.database.store_folder`) is a folder with one server in it. The server starts on
first need, is shared by every imgsim process of the user and survives them. It stops when asked, or
when nobody has been connected for a while (`imgsim.database.idle`).
"""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from imgsim.database import addresses, binaries, postmaster, store_folder
from imgsim.database.postmaster import DATABASE, Server, running, running_now
from imgsim.database.store_folder import ROLE, data_folder, last_lines, log_file
from imgsim.errors import EmbeddedServerError

__all__ = [
    "Server",
    "data_folder",
    "ensure_running",
    "log_file",
    "running",
    "running_now",
    "stop",
    "stop_if",
    "tcp_url",
]


def ensure_running(store: Path, idle_minutes: float, port: int | None = None) -> Server:
    """The server of a store, initialised and started if need be.

    Args:
        idle_minutes: how long after its last client it stops by itself; 0 for never.
        port: listen on this TCP port of the loopback address too (and do not stop when idle).

    Raises:
        EmbeddedServerError: it cannot be initialised or started; the message says why.
    """
    user = binaries.server_user()
    store_folder.make(store, user)
    with store_folder.locked(store):
        pid = postmaster.live_pid(store)
        server = postmaster.wait_until_ready(store, pid) if pid else None
        if server is None:
            postmaster.remove_spoilt_locks(store)
            postmaster.disown_reused_pid(store)
            store_folder.initialise(store, user)
            store_folder.configure(store, user, port)
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
            _set_password(server, store_folder.password(store, user))
        return server


def stop(store: Path) -> bool:
    """Stop the server of a store, disconnecting whoever is connected; False if none ran."""
    if not store_folder.is_there(store):
        return False
    with store_folder.locked(store):
        return _stop_locked(store)


def stop_if(store: Path, condition: psycopg.Connection[tuple[int]], statement: str) -> bool:
    """Stop the server if `statement`, asked once no new command can start, still returns 0."""
    with store_folder.locked(store):
        row = condition.execute(statement.encode()).fetchone()
        if row is None or row[0] != 0:
            return False
        condition.close()
        return _stop_locked(store)


def tcp_url(store: Path, server: Server) -> str:
    """The URL of a server that was started with a TCP port, password included."""
    password = quote(store_folder.password(store, binaries.server_user()), safe="")
    return f"postgresql://{ROLE}:{password}@127.0.0.1:{server.port}/{DATABASE}"


def _start(store: Path, user: binaries.ServerUser | None) -> Server:
    give_up = time.monotonic() + postmaster.ORPHAN_SECONDS
    log = log_file(store)
    while True:
        log_start = log.stat().st_size if log.exists() else 0
        postgres = binaries.server_programs() / "postgres"
        pid = postmaster.detach([str(postgres), "-D", str(data_folder(store))], log, user)
        server = postmaster.wait_until_ready(store, pid)
        if server:
            return server
        said = log.read_bytes()[log_start:].decode(errors="replace") if log.exists() else ""
        # A server that was killed, and its children, take a moment to be gone.
        leaving = "is still in use" in said or "already exists" in said
        if not leaving or time.monotonic() > give_up:
            raise EmbeddedServerError(
                f"the database server did not start: {last_lines(said)}",
                f"its log is {log}",
            )
        postmaster.end_orphans(store)
        time.sleep(0.5)


def _watch(store: Path, idle_minutes: float) -> None:
    package_parent = Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path.insert(0, {str(package_parent)!r}); "
    program += "from imgsim.database.idle import main; main()"
    arguments = [sys.executable, "-c", program, str(store), str(idle_minutes)]
    postmaster.detach(arguments, store / "idle.log", None)


def _stop_locked(store: Path) -> bool:
    if postmaster.live_pid(store) is None:
        return False
    server = postmaster.running(store)
    stopped = binaries.run_as(
        binaries.server_user(),
        [
            str(binaries.server_programs() / "pg_ctl"),
            *("-D", str(data_folder(store)), "-m", "fast", "-w", "-t", "300", "stop"),
        ],
    )
    if stopped.returncode:
        raise EmbeddedServerError(
            f"the database server did not stop: {last_lines(stopped.stderr or stopped.stdout)}",
            f"its log is {log_file(store)}",
        )
    if server and server.socket_folder.parent != store:
        with contextlib.suppress(OSError):  # the short one in /tmp, empty now
            server.socket_folder.rmdir()
    return True


def _ensure_database(server: Server) -> None:
    with addresses.connect_when_ready(server.conninfo("postgres"), autocommit=True) as connection:
        found = connection.execute("select from pg_database where datname = %s", [DATABASE])
        if found.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))


def _set_password(server: Server, password: str) -> None:
    with addresses.connect_when_ready(server.conninfo(), autocommit=True) as connection:
        # Hashed here: a server that logs its statements would log the password.
        hashed = connection.pgconn.encrypt_password(
            password.encode(), ROLE.encode(), b"scram-sha-256"
        )
        connection.execute(
            sql.SQL("alter role {} password {}").format(
                sql.Identifier(ROLE), sql.Literal(hashed.decode())
            )
        )
