"""Settings, read once from the command line and the environment: where the store is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from imgsim import configuration
from imgsim.errors import ImgsimError

THRESHOLD = 0.94
"""The threshold of a model for which none is measured; every model has its own beside it.

At it the original study found ResNet-18 and ResNet-50 relatively consistent. SQL states it again
for a model that is added (`imgsim.add_model`), because it cannot refer to Python; a test compares
them.
"""

NEIGHBOURS = 10
"""How many nearest pictures are stored, ranked and exported where no number is given."""

SHARED = 4
"""Of how many nearest the reports on two models count the shared ones: the original study's k."""

PRETRAINED = "IMAGENET1K_V1"
"""torchvision's name of the weights that `THRESHOLD` was found with."""

STUDIED = ("resnet18", "resnet50")
"""The architectures of the original study, and what its two models are called."""

UNTRAINED = "untrained"
"""The name of seeded random weights, for tests and for a demonstration without a network."""

LIBPQ_VARIABLES = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE")


@dataclass(frozen=True)
class EmbeddedStore:
    """A folder in which imgsim runs a PostgreSQL server of its own.

    `source` names the setting that it came from, for messages; empty if that is none.
    """

    folder: Path
    source: str = field(default="", compare=False)


@dataclass(frozen=True)
class ExternalServer:
    """A PostgreSQL server that somebody else runs.

    `conninfo` is a libpq URL or keyword string; empty means libpq's own PG* variables.
    `source` names the setting that it came from, for messages.
    """

    conninfo: str
    source: str


@dataclass(frozen=True)
class Settings:
    """What every command needs to know before it starts."""

    target: EmbeddedStore | ExternalServer
    idle_minutes: float = 30.0


def data_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder that holds everything imgsim keeps for this user.

    As root it is outside root's home, because PostgreSQL refuses to run as root and its own
    user has to reach the files.
    """
    if given := environ.get("IMGSIM_HOME"):
        return _absolute(given)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/imgsim")
    return platformdirs.user_data_path("imgsim")


def store_folder(name_or_path: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder of a store, given by its name (under the data home) or by a path.

    A value is a path if it contains a path separator, or begins with `~` or a dot.

    Raises:
        ImgsimError: it is empty, has a line break in it, or names a user who does not exist.
    """
    if not name_or_path.strip():
        raise ImgsimError("the store has an empty name", "give a name such as `default`, or a path")
    if not {"\n", "\r", "\0"}.isdisjoint(name_or_path):
        # PostgreSQL's files name its folders line by line.
        raise ImgsimError(f"the store {name_or_path!r} has a line break in it", "give another")
    separators = {os.sep, os.altsep or os.sep}
    is_path = any(mark in name_or_path for mark in separators) or name_or_path[0] in "~."
    if is_path:
        return _absolute(name_or_path)
    return data_home(environ) / "stores" / name_or_path


def _absolute(path: str) -> Path:
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as exc:  # ~somebody
        raise ImgsimError(f"there is no home folder for {path!r}", "write the path out") from exc


def resolve(
    database: str | None = None,
    store: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Returns which database to use; the first of these that is given wins.

    `--database` or `--store`, `IMGSIM_DATABASE_URL`, `IMGSIM_STORE`, libpq's PG* variables, the
    configuration file, otherwise the store named `default`.

    Raises:
        ImgsimError: both `--database` and `--store` were given, or a value cannot be read.
    """
    if database is not None and store is not None:
        raise ImgsimError("--database and --store exclude each other", "give one of them")
    if database is not None and not database.strip():
        raise ImgsimError(
            "--database is empty", "give a URL such as postgresql://USER@HOST/DATABASE"
        )
    idle = _idle_minutes(environ.get("IMGSIM_IDLE_MINUTES", "30"))
    return Settings(_target(database, store, environ), idle)


def _target(
    database: str | None, store: str | None, environ: Mapping[str, str]
) -> EmbeddedStore | ExternalServer:
    if database:
        return ExternalServer(database, "--database")
    if store is not None:
        return EmbeddedStore(store_folder(store, environ), "--store")
    if url := environ.get("IMGSIM_DATABASE_URL"):
        return ExternalServer(url, "IMGSIM_DATABASE_URL")
    if named := environ.get("IMGSIM_STORE"):
        return EmbeddedStore(store_folder(named, environ), "IMGSIM_STORE")
    # Only variables that name a place: PGUSER or PGOPTIONS alone do not mean another server.
    if present := [variable for variable in LIBPQ_VARIABLES if environ.get(variable)]:
        return ExternalServer("", f"the environment ({', '.join(present)})")
    settled = configuration.read(environ)
    if settled.database:
        return ExternalServer(settled.database, settled.place_of("database"))
    if settled.store:
        return EmbeddedStore(store_folder(settled.store, environ), settled.place_of("store"))
    return EmbeddedStore(store_folder("default", environ))


def _idle_minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 <= minutes < float("inf"):
        raise ImgsimError(
            f"IMGSIM_IDLE_MINUTES is {text!r}, not a number of minutes",
            "give a number such as 30, or 0 for a server that runs until it is stopped",
        )
    return minutes
