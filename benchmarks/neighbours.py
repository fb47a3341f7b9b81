"""How long do exact lists of 10 take for 13,151 images, against faiss's exact search?

Ours reads the vectors from the store, finds the lists and writes them into the table; faiss
(IndexFlatIP) only searches, its vectors in memory and indexed beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks import measure
from benchmarks.stores import IMAGES, model_with, pooled_features, temporary_store
from imgsim.database.connection import Connection
from imgsim.networks.models import Model
from imgsim.similarity import neighbours
from tests.vectors import Vectors

K = 10


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--dimension", type=int, nargs="+", default=[512, 2048])
    given = parser.parse_args(arguments)
    measure.heading("faiss-cpu", "psycopg")
    with temporary_store() as (connection, _, _):
        for dimension in given.dimension:
            _measure(connection, pooled_features(dimension), given.runs)


def _measure(connection: Connection, vectors: Vectors, runs: int) -> None:
    dimension = vectors.shape[1]
    model = model_with(connection, f"synthetic{dimension}", vectors)
    actions: dict[str, Callable[[], object]] = {
        "imgsim neighbours, into the table": lambda: fill(connection, model)
    }
    if faiss := measure.peer("faiss"):
        index = faiss.IndexFlatIP(dimension)
        index.add(vectors)
        # One more: every image finds itself.
        actions["faiss IndexFlatIP, search alone"] = lambda: index.search(vectors, K + 1)
    timings = measure.in_turns(actions, runs, lambda: forget(connection, model))
    measure.compare(f"lists of {K} for {IMAGES:,} x {dimension}", timings)


def fill(connection: Connection, model: Model) -> None:
    """What `imgsim neighbours` does."""
    neighbours.bring_up_to_date(connection, [model], K)


def forget(connection: Connection, model: Model) -> None:
    """No lists are stored any more."""
    for table in ("neighbour_state", "neighbour_list"):
        query = f"delete from imgsim.{table} where model_id = %s"
        connection.execute(query.encode(), [model.model_id])
    connection.execute("vacuum imgsim.neighbour_list")
