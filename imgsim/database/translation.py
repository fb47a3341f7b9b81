"""What driver and server say, as errors that name the thing, the reason and the next step."""

from __future__ import annotations

import os
import re

import psycopg
from psycopg import errors as pg
from psycopg.conninfo import conninfo_to_dict

from imgsim.errors import DatabaseError
from imgsim.settings import ExternalServer

NAMES_WANT_IMAGES = (
    "see what is stored with: imgsim psql -c 'select name from imgsim.image limit 9'"
)
PGVECTOR = (
    "the server needs the extension pgvector 0.8 or later (on Debian: postgresql-18-pgvector)"
)
WRONG_SETTING = re.compile(
    r"invalid value for parameter|unrecognized configuration parameter|"
    r"invalid command-line argument|parameter .* cannot be set|"
    r"requires a (?:Boolean |numeric )?value"
)
SETTING_VARIABLES = ("PGTZ", "PGDATESTYLE", "PGGEQO", "PGOPTIONS")
"""With these libpq sets something on every server that it connects to, the embedded one too."""

NOT_YET = re.compile(r"starting up|in recovery mode|not yet accepting connections")
FULL = re.compile(r"too many (clients|connections)|remaining connection slots")
PASSWORD_IN_URL = re.compile(r"^\w+://[^:/?#]*:(?P<password>.*)@")
WRITTEN_OTHERWISE = re.compile(r"[@/? ]|%(?![0-9A-Fa-f]{2})")


def translate(exc: psycopg.Error) -> DatabaseError:
    """The driver's error as one that names the thing, the reason and the next step."""
    text = str(exc).strip()
    first_line = text.splitlines()[0] if text else type(exc).__name__
    if isinstance(exc, pg.DeadlockDetected | pg.SerializationFailure):
        # The server's own hint is to see its log, where nothing else is to be done.
        return DatabaseError(
            "cannot finish: another command was writing the same rows, at the second try too",
            "wait until the other imgsim has ended, then run the same command again",
        )
    for kind, mentioned, hint in HINTS:
        if isinstance(exc, kind) and re.search(mentioned, first_line):
            return DatabaseError(first_line, exc.diag.message_hint or hint)
    if isinstance(exc, pg.RaiseException) or exc.diag.message_hint:
        return DatabaseError(exc.diag.message_primary or first_line, exc.diag.message_hint or "")
    if isinstance(exc, psycopg.OperationalError) and exc.sqlstate is None:
        if WRONG_SETTING.search(first_line):
            return DatabaseError(f"cannot reach the database: {first_line}", _mend_setting())
        hint = "see that the server runs and the address is right: imgsim doctor"
        return DatabaseError(f"cannot reach the database: {first_line}", hint)
    return DatabaseError(f"the database refused: {first_line}", "imgsim doctor may tell why")


def not_connected(exc: psycopg.Error, server: ExternalServer) -> DatabaseError:
    """Why there is no connection to a server, without a password or any part of one."""
    if unclear := _unclear_password(server):
        return unclear
    lines = [line.strip() for line in str(exc).splitlines() if not line.startswith("\t")]
    reason = " ".join(lines).removeprefix("connection failed: ").removeprefix("connection is bad: ")
    if isinstance(exc, psycopg.ProgrammingError):
        # libpq quotes the piece that it could not read, which may be a piece of a password.
        secret = "password" in server.conninfo.lower() or "@" in server.conninfo
        said = "" if secret else f": {reason}"
        return DatabaseError(
            f"cannot read the address of the database, from {server.source}{said}",
            "give a URL such as postgresql://USER@HOST/DATABASE",
        )
    return DatabaseError(f"cannot reach the database: {reason}", _hint(exc, reason, server))


def is_not_yet_ready(exc: psycopg.OperationalError) -> bool:
    """Whether the server is starting, or recovering after one of its processes was killed."""
    return NOT_YET.search(str(exc)) is not None


def _hint(exc: psycopg.Error, reason: str, server: ExternalServer) -> str:
    # The driver has no error code for a connection that failed, only the server's words.
    if NOT_YET.search(reason):
        return "the server is still starting or recovering: run the same command again in a while"
    if WRONG_SETTING.search(reason):
        return _mend_setting()
    if FULL.search(reason):
        return "wait until others have disconnected, or have max_connections of the server raised"
    if "does not exist" in reason and "database" in reason:
        return f"create it with createdb, or name another in {server.source}"
    if exc.pgconn and (exc.pgconn.needs_password or exc.pgconn.used_password):
        return "give the right user, and the password in the URL, in PGPASSWORD or in ~/.pgpass"
    return f"see that the server runs and that its address, from {server.source}, is right"


def _mend_setting() -> str:
    """What to do where the server refuses a setting that the environment or the address gives."""
    given = [f"{name}={os.environ[name]}" for name in SETTING_VARIABLES if os.environ.get(name)]
    where = ", ".join(given) or "the options in the address, or the settings of the role"
    return f"unset or mend {where}: the server takes no such setting"


def _unclear_password(server: ExternalServer) -> DatabaseError | None:
    """The error for a password that a URL must write otherwise: libpq takes half of it for a host.

    It would show that half when it does not find the host, or the whole when it cannot decode it.
    """
    found = PASSWORD_IN_URL.match(server.conninfo)
    if found is None or not WRITTEN_OTHERWISE.search(found["password"]):
        return None
    try:
        parts = conninfo_to_dict(server.conninfo)
    except psycopg.ProgrammingError:
        parts = {"host": "@"}
    if "@" not in f"{parts.get('host')}{parts.get('dbname')}":
        return None
    marks = sorted(set("@/? %") & set(found["password"]))
    written = ", ".join(
        f"{'a space' if mark == ' ' else mark} as %{ord(mark):02X}" for mark in marks
    )
    return DatabaseError(
        f"cannot read the address of the database, from {server.source}: its password has "
        "a character that a URL must write otherwise",
        f"write {written}; or leave the password out, and give it in PGPASSWORD or in ~/.pgpass",
    )


HINTS: tuple[tuple[type[psycopg.Error] | tuple[type[psycopg.Error], ...], str, str], ...] = (
    (
        pg.InsufficientPrivilege,
        "",
        "connect as the owner of the schema imgsim, or ask for the right",
    ),
    (
        pg.ReadOnlySqlTransaction,
        "",
        "this server only reads (a standby?): run the command on the server that it copies",
    ),
    (pg.DiskFull, "", "make room where the database is kept, then run the same command again"),
    (
        (pg.FeatureNotSupported, pg.UndefinedFile, pg.UndefinedObject),
        r"\b(vector|halfvec|hnsw)\b",
        PGVECTOR,
    ),
    (pg.UndefinedTable, "", "run `imgsim db migrate` with this version of imgsim"),
    (pg.NoDataFound, "", NAMES_WANT_IMAGES),
    (pg.AdminShutdown, "", "the server was stopped meanwhile; run the same command again"),
    (
        pg.CrashShutdown,
        "",
        "a process of the server was killed and it recovers; run the same command again",
    ),
    (
        pg.QueryCanceled,
        "timeout",
        "raise statement_timeout, for this role or with PGOPTIONS='-c statement_timeout=0'",
    ),
    (pg.TooManyConnections, "", "close other connections, or raise max_connections"),
)
