"""How long does a second ingest of an unchanged folder take, beyond walking through it?

The folder holds many small files, and the store a row and two vectors for each of them, made in
SQL. The walk alone lists every folder and asks for each file's size and time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure
from benchmarks.stores import temporary_store
from imgsim.cli.progress import ingest_progress
from imgsim.database.connection import Connection
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from imgsim.ingest.summary import Summary
from imgsim.networks import models
from imgsim.settings import STUDIED

PER_FOLDER = 1000
ROWS = """
insert into imgsim.image
    (name, path, sha256, bytes, modified_ns, width, height, mode, format)
select 'image ' || n, %(folder)s || '/' || lpad(((n - 1) / {per})::text, 4, '0') || '/'
        || lpad((n - 1)::text, 8, '0') || '.png',
    md5(n::text), %(size)s, %(time)s, 100, 100, 'L', 'PNG'
from generate_series(1, {files}) n
"""
VECTORS = """
insert into imgsim.embedding_{model} (image_id, embedding)
select i.image_id, (select array_agg(sin(d)) from generate_series(1, {dimension}) d)::public.halfvec
from imgsim.image i
"""


def main(arguments: Sequence[str]) -> None:
    """Measure, and print."""
    parser = measure.arguments(__doc__, runs=3)
    parser.add_argument("--files", type=int, default=100_000)
    given = parser.parse_args(arguments)
    measure.heading("psycopg")
    with temporary_store() as (connection, _, folder):
        scans = folder / "scans"
        fill(connection, scans, given.files)
        summaries: list[Summary] = []
        timings = measure.in_turns(
            {
                "imgsim ingest, unchanged": lambda: summaries.append(again(connection, scans)),
                "the walk alone (scandir, stat)": lambda: walk(scans),
            },
            given.runs,
        )
    if {summary.unchanged for summary in summaries} != {given.files}:
        raise SystemExit(f"not all were unchanged: {summaries}")
    measure.compare(f"a folder of {given.files:,} unchanged files", timings)
    ours, theirs = (timing.median for timing in timings.values())
    print(f"  beyond the walk: {ours - theirs:.2f} s")
    for name, stage in summaries[-1].timings.in_order():
        print(f"    {name:<20}{stage.busy:>8.2f} s at work {stage.awaited:>8.2f} s awaited")


def fill(connection: Connection, scans: Path, files: int) -> None:
    """Small files, and a row and vectors for each."""
    time = 1_700_000_000_000_000_000
    for start in range(0, files, PER_FOLDER):
        below = scans / f"{start // PER_FOLDER:04}"
        below.mkdir(parents=True)
        for number in range(start, min(start + PER_FOLDER, files)):
            path = below / f"{number:08}.png"
            path.write_bytes(b"not opened")
            os.utime(path, ns=(time, time))
    values = {"folder": str(scans), "size": len(b"not opened"), "time": time}
    connection.execute(ROWS.format(per=PER_FOLDER, files=files).encode(), values)
    for model, dimension in (("resnet18", 512), ("resnet50", 2048)):
        connection.execute(
            "select imgsim.add_model(%s, %s, %s, 'untrained', 'none', 'fit')",
            [model, model, dimension],
        )
        connection.execute(VECTORS.format(model=model, dimension=dimension).encode())
        # Vectors that are all the same make no index; an ingest that finds one builds none.
        connection.execute(
            f"create index embedding_{model}_hnsw on imgsim.embedding_{model} "
            "using hnsw (embedding public.halfvec_cosine_ops) where image_id = 1".encode()
        )
    connection.execute("vacuum analyze")


def again(connection: Connection, scans: Path) -> Summary:
    """What `imgsim ingest` does, the files counted for its progress included."""
    wanted = tuple(models.Wanted(name) for name in STUDIED)
    with ingest_progress([scans]) as shown:
        return ingest(connection, [scans], Options(wanted=wanted), shown.files)


def walk(root: Path) -> int:
    """Sizes of all files below."""
    total = 0
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                total += walk(Path(entry.path))
            else:
                total += entry.stat().st_size
    return total
