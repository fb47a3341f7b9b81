"""How long does imgsim.similar take for a stored image, against hnswlib in the same process?

13,151 images, the ten nearest, through one warm connection; recall against exact lists. hnswlib
is timed twice: with the narrowest search (ef) whose recall is 0.99, and with the narrowest whose
recall is no worse than ours, or the widest tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.stores import IMAGES, model_with, pooled_features, temporary_store
from imgsim import neighbours
from imgsim.database.connection import Connection
from imgsim.models import Model
from tests.vectors import Vectors

K = 10
ENOUGH = 0.99
WIDTHS = (10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 600)


@dataclass(frozen=True)
class Answers:
    """Milliseconds of each query, and how many of the true nearest were found (0 to 1)."""

    milliseconds: list[float]
    recall: float

    def __str__(self) -> str:
        return f"{measure.spread(self.milliseconds, 'ms')}, recall@{K} {self.recall:.4f}"


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--dimension", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args(arguments)
    measure.heading("hnswlib", "psycopg")
    for dimension in given.dimension:
        with temporary_store() as (connection, _, _):
            _measure(connection, pooled_features(dimension), given.queries, given.runs)


def _measure(connection: Connection, vectors: Vectors, queries: int, runs: int) -> None:
    model = model_with(connection, "synthetic", vectors)
    connection.execute("select imgsim.build_embedding_index('synthetic')")
    chosen = sorted(np.random.default_rng(2).choice(IMAGES, queries, replace=False).tolist())
    truth = nearest(connection, model, chosen)
    ours = ask(lambda row: similar(connection, row), chosen, truth, runs + 1)
    print(f"\nthe {K} nearest of a stored image, {IMAGES:,} x {vectors.shape[1]}")
    print(f"  {'imgsim.similar':<20}{ours}")
    if hnswlib := measure.peer("hnswlib"):
        _compare(ours, hnswlib, vectors, chosen, truth, runs)


def ask(
    answer: Callable[[int], Sequence[int]],
    rows: Sequence[int],
    truth: dict[int, set[int]],
    rounds: int,
) -> Answers:
    """Ask for each image in turn, all of them `rounds` times; the first time is not timed."""
    milliseconds, found = [], 0
    for number in range(rounds):
        for row in rows:
            began = time.perf_counter()
            ids = answer(row)
            if number:
                milliseconds.append(1000 * (time.perf_counter() - began))
            found += len(truth[row] & set(ids))
    return Answers(milliseconds, found / (rounds * sum(map(len, truth.values()))))


def similar(connection: Connection, row: int) -> list[int]:
    """The ids that imgsim names."""
    answer = connection.execute(
        "select image_id from imgsim.similar(%s::bigint, 'synthetic', %s)", [row + 1, K]
    )
    return [found[0] for found in answer]


def nearest(connection: Connection, model: Model, rows: Sequence[int]) -> dict[int, set[int]]:
    """The true nearest of some images."""
    stored = neighbours.read_vectors(connection, model)
    truth: dict[int, set[int]] = {row: set() for row in rows}
    for lists in neighbours.nearest(stored, K, np.asarray(rows)):
        for image_id, other_id in zip(lists.image_ids, lists.other_ids, strict=True):
            truth[image_id - 1].add(int(other_id))
    return truth


def _compare(
    ours: Answers,
    hnswlib: Any,
    vectors: Vectors,
    rows: Sequence[int],
    truth: dict[int, set[int]],
    runs: int,
) -> None:
    index = hnswlib.Index("cosine", vectors.shape[1])
    index.init_index(IMAGES, M=16, ef_construction=200)  # its defaults
    index.add_items(vectors, np.arange(1, IMAGES + 1))
    index.set_num_threads(1)

    def answer(row: int) -> list[int]:
        labels, _ = index.knn_query(vectors[row], K + 1)
        return [int(label) for label in labels[0] if label != row + 1][:K]

    wanted = [ENOUGH, ours.recall]
    for width in WIDTHS:
        index.set_ef(width)
        theirs = ask(answer, rows, truth, runs + 1)
        if theirs.recall >= wanted[0] or width == WIDTHS[-1]:
            ratio = np.median(ours.milliseconds) / np.median(theirs.milliseconds)
            print(f"  {f'hnswlib, ef {width}':<20}{theirs}   ours / theirs {ratio:.2f}")
            wanted = [recall for recall in wanted if recall > theirs.recall]
        if not wanted:
            break
