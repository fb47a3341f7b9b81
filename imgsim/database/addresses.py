"""What is told to libpq, so that the variables around it (PGHOSTADDR, PGSERVICE) mislead nobody.

The variables stay where they are: other threads of a program that uses imgsim may be connecting.
libpq looks at a variable only for what it was not told, so what a variable would say is told.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import pq

from imgsim.database.translation import is_not_yet_ready

RECOVERY_SECONDS = 120
LOOK_SECONDS = 0.2

# Where nothing is no value that libpq takes: what it would do without being told.
INSTEAD_OF_NOTHING = {
    "client_encoding": "UTF8",
    "connect_timeout": "0",
    "min_protocol_version": "3.0",
    "max_protocol_version": "latest",
    "ssl_max_protocol_version": "TLSv1.3",
    "sslcertmode": "allow",
}
SERVICES = ("service", "servicefile")
NO_SERVICE = re.compile(r"definition of service|service file")


def without_variables(**known: str | int) -> dict[str, str | int]:
    """Parameters for a connection, all that a variable of libpq's would add set to its default."""
    told: dict[str, str | int] = {}
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        if name in SERVICES or not option.envvar or option.envvar.decode() not in os.environ:
            continue
        told[name] = (option.compiled or b"").decode() or INSTEAD_OF_NOTHING.get(name, "")
    if "PGSERVICE" in os.environ:
        # A service fills in whatever is missing, so nothing may be.
        told |= {name: value for name, value in _all_defaults().items() if name not in told}
    return {**told, **known}


def connect(conninfo: str, **parameters: Any) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect by what `without_variables` told, also where PGSERVICE names what is not defined."""
    try:
        return psycopg.connect(conninfo, **parameters)
    except psycopg.OperationalError as exc:
        if "PGSERVICE" not in os.environ or not NO_SERVICE.search(str(exc)):
            raise
    # libpq cannot be told that there is no service. Nobody connects by this one meanwhile.
    os.unsetenv("PGSERVICE")
    try:
        return psycopg.connect(conninfo, **parameters)
    finally:
        os.putenv("PGSERVICE", os.environ["PGSERVICE"])


def connect_when_ready(
    conninfo: str,
    connecting: Callable[..., psycopg.Connection[tuple[Any, ...]]] = connect,
    **parameters: Any,
) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect; a server that is starting, or recovering from a killed process, is waited for."""
    give_up = time.monotonic() + RECOVERY_SECONDS
    while True:
        try:
            return connecting(conninfo, **parameters)
        except psycopg.OperationalError as exc:
            if not is_not_yet_ready(exc) or time.monotonic() > give_up:
                raise
            time.sleep(LOOK_SECONDS)


def of_connection(connection: psycopg.Connection[object]) -> dict[str, str]:
    """The parameters that a connection was made with, its password among them."""
    return {
        option.keyword.decode(): option.val.decode()
        for option in connection.pgconn.info
        if option.val is not None and option.keyword.decode() not in SERVICES
    }


def _all_defaults() -> dict[str, str]:
    return {
        option.keyword.decode(): option.compiled.decode()
        for option in pq.Conninfo.get_defaults()
        if option.compiled is not None and option.keyword.decode() not in SERVICES
    } | {"hostaddr": "", "password": "", "requirepeer": "", "require_auth": ""}
