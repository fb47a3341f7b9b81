"""Builds the HNSW index of a model, in parallel, with enough memory, and reports progress."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from imgsim.database.connection import Connection, beside
from imgsim.networks.models import Model
from imgsim.work import Progress, silent

MEGABYTE = 1 << 20
ELEMENT_BYTES = 1300
"""Beside its vector, what a picture may take in the graph while it is built (measured: 700)."""

LEAST_MEMORY = 64 * MEGABYTE
LOOK_SECONDS = 0.5


def build(connection: Connection, model: Model, on_progress: Progress = silent) -> bool:
    """Builds the index of a model if it is missing or unfinished.

    For this build only, memory is set to what the vectors need, but at most to the server's shared
    buffers (or its own maintenance_work_mem, if that is more). PostgreSQL chooses how many
    processes build, up to its max_parallel_maintenance_workers. If shared memory is too small for
    them (/dev/shm in a container), one process builds.

    Args:
        on_progress: called from another thread, with how many vectors are in the index.

    Returns:
        Whether anything was built.
    """
    state = connection.execute("select imgsim.embedding_index(%s)", [model.name]).fetchone()
    if state is None or state[0] in ("valid", "none"):
        return False
    vectors = _count(connection, model)
    memory = memory_for(connection, vectors, model.dimension)
    with _told(connection, model, vectors, on_progress):
        try:
            return _build(connection, model, memory)
        # A full /dev/shm is told as a full disk: Docker gives it 64 MB.
        except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory):
            return _build(connection, model, memory, processes=1)


def memory_for(connection: Connection, vectors: int, dimension: int) -> int:
    """Returns the bytes of maintenance_work_mem needed to build a graph of so many half vectors.

    A parallel build takes all of it at once as shared memory, so it is not set higher than needed.
    """
    row = connection.execute(
        """
        select max(pg_size_bytes(current_setting(name)))
        from unnest(array['shared_buffers', 'maintenance_work_mem']) as name
        """
    ).fetchone()
    assert row is not None
    wanted = vectors * (2 * dimension + ELEMENT_BYTES) + LEAST_MEMORY
    return min(wanted, max(int(row[0]), LEAST_MEMORY))


def _build(connection: Connection, model: Model, memory: int, processes: int | None = None) -> bool:
    with connection.transaction():
        connection.execute(f"set local maintenance_work_mem = '{memory // 1024}kB'".encode())
        if processes is not None:
            workers = processes - 1
            connection.execute(f"set local max_parallel_maintenance_workers = {workers}".encode())
        row = connection.execute("select imgsim.build_embedding_index(%s)", [model.name]).fetchone()
    return bool(row and row[0])


def _count(connection: Connection, model: Model) -> int:
    row = connection.execute(
        sql.SQL("select count(*) from imgsim.{}").format(sql.Identifier(model.embedding_table))
    ).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _told(
    connection: Connection, model: Model, vectors: int, on_progress: Progress
) -> Iterator[None]:
    """Reports the progress of a build in this connection, as seen from another."""
    if on_progress is silent:  # no second connection for what nobody sees
        yield
        return
    ended = threading.Event()
    builder = connection.info.backend_pid
    watch = threading.Thread(
        target=_watch, args=(connection, builder, model, vectors, on_progress, ended), daemon=True
    )
    watch.start()
    try:
        yield
    finally:
        ended.set()
        watch.join()
    on_progress(model.name, vectors, vectors)


def _watch(
    connection: Connection,
    builder: int,
    model: Model,
    vectors: int,
    on_progress: Progress,
    ended: threading.Event,
) -> None:
    """Watches from a second connection; without one, no progress is shown and the build goes on."""
    if ended.wait(LOOK_SECONDS):
        return
    try:
        with beside(connection) as looking:
            while True:
                row = looking.execute(
                    """
                    select p.tuples_done
                    from pg_catalog.pg_stat_progress_create_index p
                    where p.pid = %s
                    """,
                    [builder],
                ).fetchone()
                if row:  # none before it begins, and after its end
                    on_progress(model.name, min(int(row[0]), vectors), vectors)
                if ended.wait(LOOK_SECONDS):
                    return
    except psycopg.Error:
        return
