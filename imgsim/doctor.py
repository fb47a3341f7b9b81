"""Examines the whole installation: what is there, what is missing, and the next step for each."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg

from imgsim import configuration, reports
from imgsim.collection import derived, runs
from imgsim.database import connection, embedded, migrations, store_folder
from imgsim.database.connection import Connection
from imgsim.database.session import changes_process, only_reads, settle
from imgsim.errors import ImgsimError, WeightsError
from imgsim.networks import bundled, models, whereabouts
from imgsim.networks.models import Model
from imgsim.settings import EmbeddedStore, Settings
from imgsim.version import DISTRIBUTION, __version__, installed_beside, reinstall_command
from imgsim.wording import counted

FINE, LACKING, BROKEN = "ok", "note", "bad"
REQUIRED_PGVECTOR = (0, 8, 0)
# 0.8.2 mended an overflow in parallel builds of an index, 0.8.3 a corruption of it by vacuum.
RECOMMENDED_PGVECTOR = (0, 8, 4)
LITTLE_DISK = 2 << 30


@dataclass(frozen=True)
class Finding:
    """One line of the examination: its state (`ok`, `note` or `bad`), the part, and what to do."""

    state: str
    what: str
    detail: str
    next_step: str = ""


def examine(settle_on: Callable[[], Settings]) -> Iterator[Finding]:
    """Yields what there is to say of each part; a fault in one does not hide the others.

    Args:
        settle_on: returns the settings, or raises what is wrong with them.
    """
    yield Finding(
        FINE, "imgsim", f"{__version__}, Python {platform.python_version()}, {sys.platform}"
    )
    if beside := installed_beside():
        yield Finding(
            LACKING,
            "package",
            f"a second package, imgsim {beside}, is installed in the same folder as imgsim-prints",
            f"remove both, then install again: pip uninstall imgsim {DISTRIBUTION}; "
            + reinstall_command(),
        )
    yield from _configured()
    yield _devices()
    try:
        settings = settle_on()
    except ImgsimError as exc:
        yield Finding(BROKEN, "database", exc.message, exc.hint)
        return
    yield from _target(settings)
    try:
        with connection.open_connection(settings) as opened:
            yield from _database(opened)
    except ImgsimError as exc:
        yield Finding(BROKEN, "database", exc.message, exc.hint)
    except psycopg.Error as exc:
        error = connection.translate(exc)
        yield Finding(BROKEN, "database", error.message, error.hint)


def _configured() -> Iterator[Finding]:
    try:
        settled = configuration.read()
    except ImgsimError as exc:
        yield Finding(BROKEN, "settings", exc.message, exc.hint)
        return
    if not settled.exists:
        yield Finding(FINE, "settings", f"none kept; they would be in {settled.file}")
        return
    says = ", ".join(name for name in configuration.SETTINGS if getattr(settled, name)) or "nothing"
    yield Finding(FINE, "settings", f"{settled.file}: {says} (options and variables go before it)")
    for name in settled.columns:
        if name not in reports.REPORTS:
            yield Finding(
                LACKING,
                "settings",
                f"{settled.place_of(f'columns.{name}')}: there is no report {name!r}",
                f"there are: {', '.join(reports.REPORTS)}",
            )


def _weights(model: Model) -> Finding:
    """Returns whether the weights of a model of the store are at hand, for more pictures."""
    try:
        return Finding(FINE, "weights", f"{model.described}: {whereabouts.of(model)}")
    except WeightsError as exc:
        state = BROKEN if model.weights in bundled.BUNDLED else LACKING
        return Finding(state, "weights", exc.message, exc.hint)


def _devices() -> Finding:
    # Looked for before it is imported: what is missing and what does not import have two remedies.
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("torchvision") is None:
        return Finding(BROKEN, "torch", "torch or torchvision is missing", reinstall_command())
    try:
        import torch
        import torchvision
    except Exception as exc:  # a broken library raises what it likes, and is what is looked for
        return Finding(
            BROKEN,
            "torch",
            f"does not import: {str(exc).splitlines()[0]}",
            "torch and torchvision must come from the same index: see docs/install.md",
        )
    devices = [f"cpu ({torch.get_num_threads()} threads)"]
    devices += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    devices += ["Apple GPU (mps)"] if torch.backends.mps.is_available() else []
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    return Finding(FINE, "devices", f"{', '.join(devices)}; {versions}")


def _target(settings: Settings) -> Iterator[Finding]:
    target = settings.target
    if not isinstance(target, EmbeddedStore):
        yield Finding(FINE, "database", f"an external server, given by {target.source}")
        return
    given = f", given by {target.source}" if target.source else ""
    if store_folder.other_major(target.folder):
        pass  # opening the database says so, and what to do
    elif not os.path.exists(embedded.data_folder(target.folder)):
        yield Finding(LACKING, "store", f"{target.folder} is new{given}", "imgsim ingest FOLDER")
    else:
        yield Finding(FINE, "store", f"{target.folder}{given}")
    # A new store has no folder yet: the disk is that of the nearest one above.
    place = next(p for p in (target.folder, *target.folder.parents) if os.path.exists(p))
    free = shutil.disk_usage(place).free
    size = f"{free / 1e9:,.1f} GB free"
    if free < LITTLE_DISK:
        yield Finding(LACKING, "disk", size, "free some space: 100,000 images take about 3 GB")
    else:
        yield Finding(FINE, "disk", size)


def _database(opened: Connection) -> Iterator[Finding]:
    version = opened.info.server_version
    yield Finding(FINE, "server", f"PostgreSQL {version // 10000}.{version % 10000}")
    yield _pgvector(opened)
    yield from _openings(opened)
    settle(opened)  # after a look at the path that the caller has
    try:
        applied = migrations.apply(opened)
    except ImgsimError as exc:
        yield Finding(BROKEN, "schema", exc.message, exc.hint)
        return
    yield Finding(
        FINE,
        "schema",
        f"{counted(len(applied), 'file')} applied just now" if applied else "current",
    )
    yield from _contents(opened)


def _openings(opened: Connection) -> Iterator[Finding]:
    """Warns of schemas where others may create, and of a pooler that changes processes."""
    rows = opened.execute(
        """
        select n.nspname
        from pg_catalog.unnest(pg_catalog.current_schemas(false)) as path (name)
        join pg_catalog.pg_namespace n on n.nspname = path.name
        where exists (
            select from pg_catalog.aclexplode(n.nspacl) a
            join pg_catalog.pg_roles me on me.rolname = current_user
            where a.privilege_type = 'CREATE'
                and a.grantee not in (n.nspowner, me.oid))
        order by 1
        """
    ).fetchall()
    for (name,) in rows:
        yield Finding(
            LACKING,
            "path",
            f"others may create functions in the schema {name}, which is on your search_path: "
            "such a function may run with your rights in place of the one you mean",
            f"have its owner revoke that: imgsim psql -c '\\dn+ {name}' shows who may",
        )
    if changes_process(opened):
        yield Finding(
            LACKING,
            "pooler",
            "a connection pooler in transaction mode, through which searches and reports work",
            "run imgsim ingest, neighbours and pairs on the server itself: see docs/server.md",
        )


def _pgvector(opened: Connection) -> Finding:
    major = opened.info.server_version // 10000
    row = opened.execute(
        """
        select coalesce(installed_version, default_version)
        from pg_available_extensions
        where name = 'vector'
        """
    ).fetchone()
    if row is None:
        return Finding(
            BROKEN,
            "pgvector",
            "not on this server",
            f"on Debian: apt install postgresql-{major}-pgvector",
        )
    version = tuple(int(part) for part in row[0].split(".") if part.isdigit())
    return judged_pgvector(version)


def judged_pgvector(version: tuple[int, ...]) -> Finding:
    """Returns whether a version of pgvector is too old, works, or is fine."""
    required, recommended = (
        ".".join(map(str, v)) for v in (REQUIRED_PGVECTOR, RECOMMENDED_PGVECTOR)
    )
    have = ".".join(map(str, version))
    if version < REQUIRED_PGVECTOR:
        return Finding(
            BROKEN,
            "pgvector",
            f"{have} is too old: {required} is required",
            f"upgrade it, best to {recommended} or later",
        )
    if version < RECOMMENDED_PGVECTOR:
        return Finding(
            LACKING,
            "pgvector",
            f"{have} works; {recommended} or later is recommended",
            "upgrade it when convenient: earlier releases can damage an index in rare cases",
        )
    return Finding(FINE, "pgvector", have)


def _contents(opened: Connection) -> Iterator[Finding]:
    if not only_reads(opened):
        runs.settle(opened)
    counts = opened.execute(
        """
        select
            (select count(*) from imgsim.image),
            (select count(*) from imgsim.ecco_document),
            (select count(*) from imgsim.ingest_failure),
            (select count(*) from imgsim.ingest_run r
             where r.status in ('failed', 'interrupted')
                 and not exists (
                     select from imgsim.ingest_run later
                     where later.run_id > r.run_id and later.status in ('finished', 'running')
                         and not later.arguments ? 'goes_on'))
        """
    ).fetchone()
    assert counts is not None
    images, documents, failed, broken_off = counts
    if images:
        yield Finding(FINE, "pictures", f"{images:,}")
    else:
        yield Finding(LACKING, "pictures", "none yet", "imgsim ingest FOLDER, or imgsim demo")
    if documents:
        yield Finding(FINE, "books", f"{documents:,}")
    yield from _models(opened, images)
    yield from map(_weights, models.stored(opened))
    if failed:
        yield Finding(LACKING, "failures", counted(failed, "file"), "imgsim report failures")
    if broken_off:
        yield Finding(
            LACKING,
            "ingest",
            f"{counted(broken_off, 'run')} broke off",
            "run the same imgsim ingest again",
        )
    yield from _astray(opened)


def _astray(opened: Connection) -> Iterator[Finding]:
    """Yields what names images, contents or vectors that are gone, as versions before 0.2 left."""
    found = derived.counted_astray(opened)
    wrong = [
        text
        for number, text in (
            (found.lists, counted(found.lists, "neighbour list")),
            (found.pairs, counted(found.pairs, "pair")),
            (found.verifications, counted(found.verifications, "verification")),
        )
        if number
    ]
    if wrong:
        yield Finding(
            BROKEN,
            "entries",
            f"{', '.join(wrong)} of removed or changed pictures",
            "imgsim doctor --mend, then imgsim neighbours and imgsim pairs",
        )
    if found.groups:
        yield Finding(
            LACKING,
            "groups",
            f"{counted(found.groups, 'group')} with pictures that were removed since",
            "imgsim group",
        )


def mend(opened: Connection) -> derived.Astray:
    """Deletes the entries that `examine` found to name what is gone, and returns how many."""
    return derived.mend(opened)


def _models(opened: Connection, images: int) -> Iterator[Finding]:
    rows = opened.execute(
        """
        select model, weights, embeddings, index_state, neighbour_k, neighbours_current
        from imgsim.model_status()
        """
    ).fetchall()
    for name, weights, embeddings, index, k, current in rows:
        problems = {
            "imgsim ingest --model " + name + " PATH…": embeddings < images
            and f"it has not looked at {counted(images - embeddings, 'picture')}",
            f"imgsim psql -c \"select imgsim.build_embedding_index('{name}')\"": index
            in ("missing", "invalid")
            and embeddings
            and f"its index is {index}",
            "imgsim neighbours": k and not current and "its neighbour lists are out of date",
        }
        called = name if weights == name else f"{name}, {weights}"
        told = f"{called}: {counted(embeddings, 'picture')}, index {index}"
        lists = f", lists of {k}" if k and current else ""
        wrong = [(step, text) for step, text in problems.items() if text]
        if not wrong:
            yield Finding(FINE, "model", told + lists)
        for step, text in wrong:
            yield Finding(LACKING, "model", f"{told}; {text}", step)
