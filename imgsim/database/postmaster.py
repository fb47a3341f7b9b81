"""The server's own process, the postmaster: is it alive, is it ours, is it ready?"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
from psycopg import conninfo

from imgsim.database import addresses, binaries
from imgsim.database.store_folder import ROLE, data_folder, log_file
from imgsim.errors import EmbeddedServerError

DATABASE = "imgsim"
START_SECONDS = 900
ORPHAN_SECONDS = 20
NO_PROCESS = 1 << 23
"""A process id beyond any that Linux or macOS gives out."""


@dataclass(frozen=True)
class Server:
    """A running server: where it listens, its process id, and since when (seconds of the epoch)."""

    socket_folder: Path
    port: int
    pid: int
    started_at: int
    listens_on_tcp: bool

    def conninfo(self, database: str = DATABASE) -> str:
        """A libpq keyword string for the Unix socket, from which no variable of libpq's departs."""
        return conninfo.make_conninfo(
            "",
            **addresses.without_variables(
                host=str(self.socket_folder), port=self.port, user=ROLE, dbname=database
            ),
        )

    def url(self) -> str:
        """A URL for the Unix socket, for psql, pandas and others."""
        host = quote(str(self.socket_folder), safe="")
        return f"postgresql:///{DATABASE}?host={host}&port={self.port}&user={ROLE}"


def running(store: Path) -> Server | None:
    """The server of a store as its pid file tells; it may have died without removing that."""
    lines = _pid_file(store)
    try:
        if lines[7].strip() != "ready":
            return None
        return Server(Path(lines[4]), int(lines[3]), int(lines[0]), int(lines[2]), bool(lines[5]))
    except (IndexError, ValueError):
        return None


def running_now(store: Path) -> Server | None:
    """The server of a store, seen to be alive."""
    server = running(store)
    return server if server and server.pid == live_pid(store) else None


def live_pid(store: Path) -> int | None:
    """The process of a store's server, be it ready, starting, recovering or stopping."""
    try:
        pid = int(_pid_file(store)[0])
    except (IndexError, ValueError):
        return None
    return pid if _works_in(pid, data_folder(store)) else None


def wait_until_ready(store: Path, pid: int) -> Server | None:
    """The server once it accepts connections; None if it ended first (recovery can be long)."""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        server = running(store)
        if server and server.pid == pid:
            return server
        if not _exists(pid):
            return None
        time.sleep(0.02)
    raise EmbeddedServerError(
        f"the database server is not ready after {START_SECONDS} seconds",
        f"it may still be recovering: see {log_file(store)} and try again",
    )


def disown_reused_pid(store: Path) -> None:
    """Where a dead server's pid now belongs to another program, take it out of the lock files.

    PostgreSQL would refuse to start beside that program. The rest of the pid file stays: by it
    PostgreSQL finds processes of the dead server that are still at work on the data.
    """
    lines = _pid_file(store)
    try:
        pid = int(lines[0])
    except (IndexError, ValueError):
        return
    if not psutil.pid_exists(pid) or live_pid(store) == pid:
        return
    rest = "\n".join([str(NO_PROCESS), *lines[1:]])
    (data_folder(store) / "postmaster.pid").write_bytes(os.fsencode(rest))
    if len(lines) > 4 and lines[4]:
        socket_lock = Path(lines[4]) / f".s.PGSQL.{lines[3]}.lock"
        with contextlib.suppress(OSError):
            if socket_lock.read_text().split("\n")[0] == str(pid):
                socket_lock.unlink()


def remove_spoilt_locks(store: Path) -> None:
    """Where a lock file holds no process id, as after a full disk or a crash, take it away.

    PostgreSQL would not start beside it, and a server that runs would end itself within a minute.
    Without its pid file such a server cannot be told from outside, so it is ended first.
    """
    spoilt = [path for path in _lock_files(store) if _is_spoilt(path)]
    if not spoilt:
        return
    give_up = time.monotonic() + ORPHAN_SECONDS
    while end_orphans(store) and time.monotonic() < give_up:
        time.sleep(0.05)
    for path in spoilt:
        path.unlink(missing_ok=True)


def _lock_files(store: Path) -> list[Path]:
    sockets = store / "run"
    return [data_folder(store) / "postmaster.pid", *sockets.glob(".s.PGSQL.*.lock")]


def _is_spoilt(path: Path) -> bool:
    try:
        first = path.read_bytes().split(b"\n")[0].strip()
    except OSError:
        return False
    return not first.lstrip(b"-").isdigit()


def end_orphans(store: Path) -> int:
    """End the processes that a killed server has left: at once, without a commit, as in a crash.

    Returns how many there were.
    """
    found = 0
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "postgres" and _works_in(process.pid, data_folder(store)):
                process.send_signal(signal.SIGQUIT)
                found += 1
    return found


def detach(arguments: list[str], log: Path, user: binaries.ServerUser | None) -> int:
    """Start a program that outlives this one, its output appended to `log`; its process id.

    The shell only puts it into the background, so that it is nobody's child when it ends.
    """
    started = subprocess.run(
        ["/bin/sh", "-c", '"$@" >>"$0" 2>&1 </dev/null & echo $!', str(log), *arguments],
        env={**binaries.environment_without_libpq(), "LC_ALL": "C"},
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


def _pid_file(store: Path) -> list[str]:
    try:
        content = (data_folder(store) / "postmaster.pid").read_bytes()
    except OSError:
        return []
    return os.fsdecode(content).split("\n")


def _exists(pid: int) -> bool:
    # In a container nobody may collect what has ended: a zombie is as good as gone.
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError):
        return False


def _works_in(pid: int, data: Path) -> bool:
    """Whether a process is PostgreSQL on this data folder, by whatever path it was named."""
    if not _exists(pid):
        return False
    process = psutil.Process(pid)
    try:
        return _same_folder(process.cwd(), data)
    except psutil.AccessDenied:
        pass  # root in a container may lack the right to look at another user's process
    except psutil.Error:
        return False
    try:
        return any(_same_folder(argument, data) for argument in process.cmdline())
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _same_folder(one: str, other: Path) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
