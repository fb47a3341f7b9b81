"""How long does imgsim.similar take for a stored image, against hnswlib in the same process?

The ten nearest of 13,151 images, through one warm connection, searched for and read from stored
lists; recall against a comparison with all in double precision. hnswlib is timed twice: with the
narrowest search (ef) whose recall is 0.99, and with the narrowest whose recall is no worse than
ours, or the widest tried. With --images 154422 that many of 2048 dimensions are measured as well,
and how much longer a search among them takes: some twenty minutes on two cores, most of it for the
two indexes, and 8 GB of memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.stores import BLOCK, IMAGES, model_with, pooled_features, temporary_store
from imgsim.database.connection import Connection
from imgsim.networks import models
from imgsim.similarity import index, neighbours
from tests.vectors import Vectors

K = 10
ENOUGH = 0.99
WIDTHS = (10, 20, 40, 60, 80, 100, 150, 200, 300, 400, 600)
LARGE_DIMENSION = 2048


@dataclass(frozen=True)
class Answers:
    """Milliseconds of each query, and how many of the true nearest were found (0 to 1)."""

    milliseconds: list[float]
    recall: float

    def __str__(self) -> str:
        return f"{measure.spread(self.milliseconds, 'ms')}, recall@{K} {self.recall:.4f}"

    def over(self, other: Answers) -> float:
        """The ratio of the medians."""
        return float(np.median(self.milliseconds) / np.median(other.milliseconds))


@dataclass(frozen=True)
class Asked:
    """The rows that are asked for, and the ids of the true nearest of each."""

    rows: list[int]
    truth: Mapping[int, set[int]]


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--dimension", type=int, nargs="+", default=[512, 2048])
    parser.add_argument("--images", type=int, default=IMAGES, help="so many of 2048 dimensions too")
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args(arguments)
    measure.heading("hnswlib", "psycopg")
    larger = given.images != IMAGES
    for dimension in [LARGE_DIMENSION] if larger else given.dimension:
        with temporary_store() as (connection, _, _):
            small = _measure(connection, IMAGES, dimension, given.queries, given.runs)
            if larger:
                large = _measure(connection, given.images, dimension, given.queries, given.runs)
                _growth(connection, {IMAGES: small, given.images: large}, given.runs)
            else:
                _from_lists(connection, small, dimension, given.runs)


def _measure(connection: Connection, images: int, dimension: int, queries: int, runs: int) -> Asked:
    vectors = pooled_features(dimension, images=images)
    model = model_with(connection, _name(images), vectors)
    began = time.perf_counter()
    index.build(connection, model)
    seconds = time.perf_counter() - began
    rows = sorted(np.random.default_rng(2).choice(images, queries, replace=False).tolist())
    asked = Asked(rows, nearest(vectors, rows))
    ours = ask(_similar(connection, images), asked, runs + 1)
    print(f"\nthe {K} nearest of a stored image, {images:,} x {dimension}")
    print(f"  {'imgsim.similar':<20}{ours}   index built in {seconds:.1f} s")
    if hnswlib := measure.peer("hnswlib"):
        _compare(ours, hnswlib, vectors, asked, runs)
    return asked


def _name(images: int) -> str:
    return f"synthetic{images}"


def _growth(connection: Connection, sizes: Mapping[int, Asked], runs: int) -> None:
    """Time the sizes once more, in turns."""
    taken: dict[int, list[float]] = {images: [] for images in sizes}
    for _ in range(2 * runs):
        for images, asked in sizes.items():
            taken[images] += ask(_similar(connection, images), asked, 2).milliseconds
    small, large = (Answers(taken[images], 1.0) for images in sizes)
    print("\nimgsim.similar, in turns")
    for images, milliseconds in taken.items():
        print(f"  {images:<20,}{measure.spread(milliseconds, 'ms')}")
    print(f"  large / small {large.over(small):.2f}")


def _from_lists(connection: Connection, asked: Asked, dimension: int, runs: int) -> None:
    """The same question where the neighbour lists are stored."""
    neighbours.bring_up_to_date(connection, [models.named(connection, _name(IMAGES))], K)
    read = ask(_similar(connection, IMAGES), asked, runs + 1)
    print(f"\nthe same read from stored lists, {IMAGES:,} x {dimension}")
    print(f"  {'imgsim.similar':<20}{read}")


def ask(answer: Callable[[int], Sequence[int]], asked: Asked, rounds: int) -> Answers:
    """Ask for each image in turn, all of them `rounds` times; the first time is not timed."""
    milliseconds, found = [], 0
    for number in range(rounds):
        for row in asked.rows:
            began = time.perf_counter()
            ids = answer(row)
            if number:
                milliseconds.append(1000 * (time.perf_counter() - began))
            found += len(asked.truth[row] & set(ids))
    return Answers(milliseconds, found / (rounds * sum(map(len, asked.truth.values()))))


def _similar(connection: Connection, images: int) -> Callable[[int], list[int]]:
    """What asks imgsim for the ids like a row's."""
    query = f"select image_id from imgsim.similar(%s::bigint, '{_name(images)}', {K})".encode()
    return lambda row: [found[0] for found in connection.execute(query, [row + 1])]


def nearest(vectors: Vectors, rows: Sequence[int]) -> dict[int, set[int]]:
    """The ids of the true nearest of some rows, by the halves that are stored."""

    def stored(part: Vectors) -> np.ndarray:
        halves = part.astype(np.float16).astype(np.float64)
        return np.asarray(halves / np.linalg.norm(halves, axis=1, keepdims=True))

    queries = stored(vectors[list(rows)])
    similarity = np.empty((len(rows), len(vectors)))
    for begin in range(0, len(vectors), BLOCK):
        block = slice(begin, begin + BLOCK)
        similarity[:, block] = queries @ stored(vectors[block]).T
    similarity[np.arange(len(rows)), rows] = -2
    found = np.argpartition(-similarity, K, axis=1)[:, :K] + 1
    return {row: set(ids) for row, ids in zip(rows, found.tolist(), strict=True)}


def _compare(ours: Answers, hnswlib: Any, vectors: Vectors, asked: Asked, runs: int) -> None:
    index = hnswlib.Index("cosine", vectors.shape[1])
    index.init_index(len(vectors), M=16, ef_construction=200)  # its defaults
    began = time.perf_counter()
    index.add_items(vectors, np.arange(1, len(vectors) + 1))
    print(f"  {'hnswlib, to build':<20}{time.perf_counter() - began:.1f} s")
    index.set_num_threads(1)

    def answer(row: int) -> list[int]:
        labels, _ = index.knn_query(vectors[row], K + 1)
        return [int(label) for label in labels[0] if label != row + 1][:K]

    wanted = [ENOUGH, ours.recall]
    for width in WIDTHS:
        index.set_ef(width)
        theirs = ask(answer, asked, runs + 1)
        if theirs.recall >= wanted[0] or width == WIDTHS[-1]:
            name, ratio = f"hnswlib, ef {width}", ours.over(theirs)
            print(f"  {name:<20}{theirs}   ours / theirs {ratio:.2f}")
            wanted = [recall for recall in wanted if recall > theirs.recall]
        if not wanted:
            break
