"""How long does every pair at or above 0.94 take, against faiss's exact range search?

Ours is the command `imgsim pairs` as a process of its own, from its start to the rows in the table,
its greatest resident memory with it. faiss (IndexFlatIP, range_search) only searches, its vectors
in memory and indexed beforehand; it compares every pair twice, and is asked for a part of the
images only, for it takes long: its time is that part's, multiplied.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks import measure
from benchmarks.export_memory import peak_of
from benchmarks.stores import LATENT, temporary_store
from imgsim.database.connection import Connection
from tests.vectors import Vectors, store

THRESHOLD = 0.94
CHUNK = 8192
REPRINTED = 0.2


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("--images", type=int, nargs="+", default=[13_151, 154_422])
    parser.add_argument("--dimension", type=int, default=2048)
    parser.add_argument(
        "--faiss-part", type=int, default=16, help="ask faiss for one image in so many (16)"
    )
    given = parser.parse_args(arguments)
    measure.heading("faiss-cpu", "psycopg")
    seconds = [_measure(n, given.dimension, given.runs, given.faiss_part) for n in given.images]
    for (few, fast), (many, slow) in zip(
        zip(given.images, seconds, strict=True),
        list(zip(given.images, seconds, strict=True))[1:],
        strict=False,
    ):
        power = math.log(slow / fast) / math.log(many / few)
        print(f"\nfrom {few:,} to {many:,} images ours grows with the power {power:.2f}")


def _measure(images: int, dimension: int, runs: int, part: int) -> float:
    vectors = reprinted_features(images, dimension)
    with temporary_store() as (connection, conninfo, _):
        store(connection, "synthetic", vectors)
        connection.execute("analyze")
        command = [sys.executable, "-m", "imgsim", "--database", conninfo, "pairs"]
        command += ["--threshold", str(THRESHOLD)]
        taken, peaks = [], []
        for _ in range(runs):
            forget(connection)
            peak, seconds = peak_of(command)
            taken.append(seconds)
            peaks.append(peak)
        row = connection.execute("select count(*) from imgsim.pair").fetchone()
    ours = measure.Timing(tuple(taken))
    found = row[0] if row else 0
    print(f"\npairs of at least {THRESHOLD} among {images:,} x {dimension}: {found:,}")
    print(f"  {'imgsim pairs, into the table':<44}{ours}   {max(peaks):,.0f} MB at the most")
    if faiss := measure.peer("faiss"):
        index = faiss.IndexFlatIP(dimension)
        index.add(vectors)
        began = time.perf_counter()
        limits, _, _ = index.range_search(vectors[::part], THRESHOLD)
        theirs = measure.Timing((part * (time.perf_counter() - began),))
        name = f"faiss range_search, {part} times 1/{part} of it"
        print(f"  {name:<44}{theirs}   ours / theirs {ours.median / theirs.median:.3f}")
        print(f"  {'':<44}about {(limits[-1] * part - images) // 2:,} pairs")
    return ours.median


def forget(connection: Connection) -> None:
    """No pairs are stored any more."""
    connection.execute("truncate imgsim.pair, imgsim.pair_image, imgsim.pair_state")


def reprinted_features(images: int, dimension: int, seed: int = 0) -> Vectors:
    """Vectors in the manner of pooled features, a fifth of them near another's: printed again."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(LATENT, dimension)).astype(np.float32) / np.sqrt(LATENT)
    common = 0.5 * rng.normal(size=dimension).astype(np.float32)
    vectors = np.empty((images, dimension), np.float32)
    for start in range(0, images, CHUNK):
        part = vectors[start : start + CHUNK]
        latent = rng.standard_normal((len(part), LATENT), dtype=np.float32)
        part[:] = np.maximum(latent @ mixing + common, 0)
        part += 0.05 * np.abs(rng.standard_normal(part.shape, dtype=np.float32))
        again = np.flatnonzero(rng.random(len(part)) < REPRINTED)
        source = part[rng.integers(0, len(part), len(again))]
        spread = rng.uniform(0.1, 0.5, (len(again), 1)).astype(np.float32)
        noise = np.abs(rng.standard_normal(source.shape, dtype=np.float32))
        part[again] = source + spread * noise * source.mean()
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return vectors
