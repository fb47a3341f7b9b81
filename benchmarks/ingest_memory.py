"""How much memory does an ingest take, for folders of 500, 2,000 and 8,000 pictures?

`imgsim ingest` runs as a process of its own for each, with a small network (ShuffleNet), so that
what grows with the folder would show; its greatest resident memory is reported.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import measure
from benchmarks.export_memory import peak_of
from benchmarks.stores import temporary_store

MODEL = "shufflenet_v2_x0_5"


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a line for each folder."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("--images", type=int, nargs="+", default=[500, 2000, 8000])
    given = parser.parse_args(arguments)
    measure.heading("torch", "psycopg")
    for images in given.images:
        with temporary_store() as (_, conninfo, folder):
            draw(folder / "scans", images)
            imgsim = [sys.executable, "-m", "imgsim", "--database", conninfo]
            options = ["--model", MODEL, "--weights", "untrained"]
            for _ in range(given.runs):
                call = [*imgsim, "ingest", str(folder / "scans"), *options]
                peak, seconds = peak_of(call)
                print(f"{images:>8,} pictures {peak:>7.0f} MB {seconds:>7.1f} s", flush=True)


def draw(folder: Path, count: int) -> None:
    """Small pictures, no two alike, of several shapes."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        size = (90 + 10 * (number % 7), 120)
        noise = Image.fromarray(rng.integers(0, 256, (6, 8), dtype=np.uint8))
        noise.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number:06}.png")
