"""How much memory does an export of a million neighbour rows take?

Fills a store of its own with generated images, books and neighbour lists, then runs the command
for each format as a process of its own and reports its greatest resident memory and its time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import measure
from benchmarks.stores import temporary_store
from imgsim.database.connection import Connection

K = 10
FORMATS = ("csv", "tsv", "parquet", "gephi", "gexf", "graphml")
FILL = """
insert into imgsim.ecco_document
    (ecco_id, estc_id, ecco_full_title, publication_year, publication_place, authors)
select lpad(n::text, 10, '0'), 'T' || n, repeat('A treatise of plants, ', 4) || n, 1700 + n % 100,
    'London', 'Anon, ' || n
from generate_series(0, 4754) n;
insert into imgsim.image
    (image_id, name, path, sha256, bytes, modified_ns, width, height, mode, format, ecco_id,
     page_number)
select n, 'image ' || n, '/scans/' || n, md5(n::text), 1, 1, 1, 1, 'L', 'PNG',
    lpad((n % 4800)::text, 10, '0'), n % 300
from generate_series(1, {images}) n;
insert into imgsim.neighbour_list (model_id, image_id, other_ids, similarities)
select 1, n, array_agg((n + r * 7919 - 1) % {images} + 1 order by r),
    array_agg(round((0.999 - r * 0.01)::numeric, 7) order by r)
from generate_series(1, {images}) n, generate_series(1, {k}) r
group by n;
insert into imgsim.neighbour_state (model_id, k, images, revision) values (1, {k}, {images}, 0);
analyze;
"""


def fill(connection: Connection, rows: int) -> None:
    """Generated lists, their state current, so that nothing is computed at export."""
    connection.execute("select imgsim.add_model('resnet50', 'none', 2048, 'none', 'none', 'fit')")
    for statement in FILL.format(images=rows // K, k=K).split(";"):
        connection.execute(statement.encode())


def peak_of(command: list[str]) -> tuple[float, float]:
    """The greatest resident memory in MB of a process, as Linux counted it, and its seconds."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return used.ru_maxrss * kilobyte / 1e6, time.monotonic() - began


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a line for each format."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", nargs="+", choices=FORMATS, default=list(FORMATS))
    given = parser.parse_args(arguments)
    measure.heading("psycopg", "pyarrow")
    with temporary_store() as (connection, conninfo, folder):
        fill(connection, given.rows)
        imgsim = [sys.executable, "-m", "imgsim", "--database", conninfo]
        idle, _ = peak_of([*imgsim, "model", "list"])
        print(f"{'imgsim model list':<18}{idle:>7.0f} MB")
        for format_ in given.format:
            for _ in range(given.runs):
                out = folder / format_
                call = [*imgsim, "export", "neighbours", "--force", "--format", format_]
                peak, seconds = peak_of([*call, "-o", str(out)])
                size = sum(file.stat().st_size for file in out.iterdir()) / 1e6
                print(f"{format_:<18}{peak:>7.0f} MB {seconds:>6.1f} s {size:>7.0f} MB on disk")
