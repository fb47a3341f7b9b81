"""The folder of a store: how it is laid out, set up and configured.

postgresql-18/
    PostgreSQL's data; a new major version gets a folder of its own.
run/
    The server's Unix socket (or a short folder in /tmp where this path does not serve).
server.log, idle.log
    What the server said, and what the process said that stops it when idle.
server.lock
    Held while somebody initialises, starts or stops the server.
password
    Only once a TCP port was asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import filelock

from imgsim.database import binaries, tuning
from imgsim.errors import EmbeddedServerError

ROLE = "imgsim"
SOCKET_PORT = 5432
LONGEST_SOCKET_PATH = 100
LOCK_SECONDS = 900
FOREIGN_BUT_HARMLESS = {"lost+found", ".DS_Store"}

OF_A_MAJOR = re.compile(r"postgresql-(\d+)")
TELLING = re.compile(r"FATAL|PANIC|No space left|could not bind|Permission denied")

HOST_BASED_AUTHENTICATION = """\
local all all              trust
host  all all 127.0.0.1/32 scram-sha-256
host  all all ::1/128      scram-sha-256
"""


def data_folder(store: Path) -> Path:
    """PostgreSQL's data folder in a store."""
    return store / f"postgresql-{binaries.POSTGRESQL_MAJOR}"


def is_there(store: Path) -> bool:
    """Whether a store has been set up.

    Raises:
        EmbeddedServerError: it is closed to this user.
    """
    try:
        os.stat(data_folder(store))
    except PermissionError as exc:
        raise EmbeddedServerError(
            f"no permission to look into {store}", "it is another user's: give another --store"
        ) from exc
    except OSError:
        return False
    return True


def other_major(store: Path) -> str | None:
    """The major version of PostgreSQL whose data are in a store that has none of the present one's.

    What a broken-off initdb left (`postgresql-18.x7f3`) does not count.
    """
    try:
        names = os.listdir(store)
    except OSError:
        return None
    majors = [found[1] for name in names if (found := OF_A_MAJOR.fullmatch(name))]
    if not majors or str(binaries.POSTGRESQL_MAJOR) in majors:
        return None
    return max(majors, key=int)


def refuse_other_major(store: Path) -> None:
    """See that no empty store is begun beside the data of another version.

    Raises:
        EmbeddedServerError: there are such data.
    """
    if major := other_major(store):
        newer = int(major) > binaries.POSTGRESQL_MAJOR
        raise EmbeddedServerError(
            f"cannot open the store {store}: PostgreSQL {major} wrote its data, and this imgsim "
            f"brings PostgreSQL {binaries.POSTGRESQL_MAJOR}",
            "use the newer imgsim that wrote them, or its dump (docs/upgrading.md)"
            if newer
            else "with the older imgsim: imgsim db dump FILE; then with this one: "
            "imgsim --store NEW db restore FILE (docs/upgrading.md)",
        )


def log_file(store: Path) -> Path:
    """What the server of a store has logged."""
    return store / "server.log"


def make(store: Path, user: binaries.ServerUser | None) -> None:
    """Make the folder of a store, closed to everybody but the server's user.

    Raises:
        EmbeddedServerError: it cannot be made or reached, or holds somebody's other files.
    """
    fresh = not store.exists()
    try:
        store.mkdir(parents=True, exist_ok=True)
        _refuse_others_store(store, user)
        names = set(os.listdir(store)) - FOREIGN_BUT_HARMLESS
        if names and not any(n == "server.lock" or n.startswith("postgresql-") for n in names):
            # Its owner and mode are about to change: not those of somebody's home or of /tmp.
            raise EmbeddedServerError(
                f"{store} has other things in it, and is not a store ({min(names)}, for one)",
                f"give a new folder, such as --store {store / 'imgsim'}",
            )
        refuse_other_major(store)
        if user:
            os.chown(store, user.uid, user.gid)
        store.chmod(0o700)
    except OSError as exc:
        raise EmbeddedServerError(
            f"cannot use {store} as a store: {exc.strerror}",
            "give another folder with --store, or IMGSIM_HOME for everything imgsim keeps",
        ) from exc
    if user and binaries.run_as(user, ["/bin/sh", "-c", 'cd "$0"', str(store)]).returncode:
        if fresh:
            store.rmdir()
        raise binaries.unreachable(store, user)


def _refuse_others_store(store: Path, user: binaries.ServerUser | None) -> None:
    """Root could take any user's store, and would lock that user out of it."""
    owner = store.stat().st_uid
    if user and owner not in (0, user.uid):
        raise EmbeddedServerError(
            f"{store} belongs to another user (number {owner})",
            "run imgsim as that user, or give another --store",
        )


@contextlib.contextmanager
def locked(store: Path) -> Iterator[None]:
    """Be the only one who initialises, starts or stops the server of a store."""
    lock = filelock.FileLock(store / "server.lock", timeout=LOCK_SECONDS)
    try:
        lock.acquire()
    except OSError as exc:  # filelock's Timeout is one too
        held = isinstance(exc, filelock.Timeout)
        reason = f"held by another imgsim for {LOCK_SECONDS} s" if held else exc.strerror
        raise EmbeddedServerError(
            f"cannot lock {store / 'server.lock'}: {reason}",
            "see which imgsim is still running, and that the folder can be written",
        ) from exc
    try:
        yield
    finally:
        lock.release()


def initialise(store: Path, user: binaries.ServerUser | None) -> None:
    """Set up PostgreSQL's data folder if there is none; whole, or not at all."""
    data = data_folder(store)
    if data.exists():
        data.chmod(0o700)  # a copy may have come without its mode, and PostgreSQL insists on it
        return
    for unfinished in store.glob(f"{data.name}.*"):
        # The initdb of a process that was killed may still be writing there.
        shutil.rmtree(unfinished, ignore_errors=True)
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
            f"cannot set up a database in {store}: {last_lines(made.stderr)}",
            "see that the disk has room (some 50 MB to begin with) and the folder can be written",
        )
    with (fresh / "postgresql.conf").open("a") as configuration:
        configuration.write("\ninclude = 'imgsim.conf'\n")
    (fresh / "pg_hba.conf").write_text(HOST_BASED_AUTHENTICATION)
    fresh.rename(data)


def configure(store: Path, user: binaries.ServerUser | None, port: int | None) -> None:
    """Write the server's settings, for its next start: on a TCP port only if one is given."""
    # A list setting: the path is quoted once as a list item and once as a value.
    sockets = '"' + str(_socket_folder(store, user)).replace('"', '""') + '"'
    values = tuning.settings() | {
        "listen_addresses": "127.0.0.1" if port else "",
        "port": str(port or SOCKET_PORT),
        "unix_socket_directories": sockets,
        "unix_socket_permissions": "0700",
        "log_timezone": "UTC",
    }
    lines = [f"{name} = {_quoted(value)}" for name, value in values.items()]
    header = "# Written by imgsim at every start, from this machine's memory and cores.\n"
    _write_private(data_folder(store) / "imgsim.conf", header + "\n".join(lines) + "\n", user)


def password(store: Path, user: binaries.ServerUser | None) -> str:
    """The password of the store's role on TCP, made when it is first asked for."""
    path = store / "password"
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(24) + "\n", user)
    return path.read_text().strip()


def last_lines(text: str, count: int = 3) -> str:
    """The end of what a program said, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # The reason often comes first, and what ends because of it after.
    telling = [line for line in lines if TELLING.search(line)]
    lines = telling or lines
    return " / ".join(lines[-count:]) or "it said nothing"


def _socket_folder(store: Path, user: binaries.ServerUser | None) -> Path:
    folder = store / "run"
    if not _serves_as_host(folder / ".s.PGSQL.65535.lock"):
        name = hashlib.sha256(os.fsencode(store)).hexdigest()[:12]
        folder = Path("/tmp") / f"imgsim-{os.geteuid()}-{name}"  # noqa: S108
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user:
            os.chown(folder, user.uid, user.gid)
    # In /tmp somebody else may have been there first, with a folder or a link of that name.
    found = folder.lstat()
    owner = user.uid if user else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner:
        raise EmbeddedServerError(
            f"{folder} belongs to somebody else", "choose a store with a shorter path"
        )
    folder.chmod(0o700)
    return folder


def _serves_as_host(path: Path) -> bool:
    name = os.fsencode(path)
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    # libpq reads a comma as the end of one host and the beginning of the next.
    return len(name) <= LONGEST_SOCKET_PATH and b"," not in name


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _write_private(path: Path, text: str, user: binaries.ServerUser | None) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(os.fsencode(text))
    if user:
        os.chown(temporary, user.uid, user.gid)
    Path(temporary).rename(path)
