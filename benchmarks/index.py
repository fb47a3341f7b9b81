"""How long does the HNSW index take to build, and what does it find: ours against the defaults?

The same vectors are indexed with our settings and with those of PostgreSQL and pgvector as they
come (maintenance_work_mem 64 MB, two workers, ef_construction 64), and by ours in one process. Of
each: seconds, and recall@10 at the width that imgsim.similar takes, and at 20. Run with
--images 154422 --dimension 2048 --runs 1 it takes more than half an hour on two cores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import measure
from benchmarks.measure import Timing
from benchmarks.stores import IMAGES, model_with, pooled_features, temporary_store
from imgsim.database.connection import Connection
from imgsim.networks.models import Model
from imgsim.similarity import index

K = 10
SAMPLE = 200
WIDTHS = [20]
DEFAULTS = """
    set local maintenance_work_mem = '64MB';
    set local max_parallel_maintenance_workers = 2;
    create index {table}_hnsw on imgsim.{table} using hnsw (embedding public.halfvec_cosine_ops)
"""


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--dimension", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--images", type=int, default=IMAGES)
    given = parser.parse_args(arguments)
    measure.heading("psycopg")
    for dimension in given.dimension:
        with temporary_store() as (connection, _, _):
            vectors = pooled_features(dimension, images=given.images)
            model = model_with(connection, "synthetic", vectors)
            del vectors
            _measure(connection, model, given.images, given.runs)


def _measure(connection: Connection, model: Model, images: int, runs: int) -> None:
    builders: dict[str, Callable[[], object]] = {
        "imgsim": lambda: index.build(connection, model),
        "imgsim, one process": lambda: alone(connection, model),
        "the defaults": lambda: by_default(connection, model),
    }
    seconds: dict[str, list[float]] = {name: [] for name in builders}
    found: dict[str, list[str]] = {name: [] for name in builders}
    for _ in range(runs):
        for name, build in builders.items():
            connection.execute(f"drop index if exists imgsim.{model.embedding_table}_hnsw".encode())
            began = time.perf_counter()
            build()
            seconds[name].append(time.perf_counter() - began)
            found[name].append(recall(connection))
    timings = {name: Timing(tuple(taken)) for name, taken in seconds.items()}
    measure.compare(f"the index of {images:,} x {model.dimension}", timings)
    for name, told in found.items():
        print(f"  {name:<44}{told[int(np.argsort(seconds[name])[runs // 2])]}")


def alone(connection: Connection, model: Model) -> None:
    """Ours, without other processes."""
    connection.execute("set max_parallel_maintenance_workers = 0")
    index.build(connection, model)
    connection.execute("reset max_parallel_maintenance_workers")


def by_default(connection: Connection, model: Model) -> None:
    """What `create index` makes on a server as it comes."""
    with connection.transaction():
        for statement in DEFAULTS.format(table=model.embedding_table).split(";"):
            connection.execute(statement.encode())


def recall(connection: Connection) -> str:
    """The share of the true nearest found, at each width."""
    rows = connection.execute(
        "select ef_search, recall from imgsim.recall('synthetic', %s, %s, %s)",
        [K, SAMPLE, WIDTHS],
    ).fetchall()
    return ", ".join(f"recall@{K} {found} at ef_search {width}" for width, found in rows)
