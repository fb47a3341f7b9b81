"""How much CPU time do commands take that embed nothing, against bare Python and psql?

Each is a process of its own, and its children; the server is warm, the store small.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks import measure
from benchmarks.stores import model_with, temporary_store
from imgsim.database import binaries
from tests.vectors import clustered


def cpu_seconds(command: Sequence[str]) -> float:
    """User and system seconds of a process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str]) -> None:
    """Measure, and print a line for each command."""
    parser = measure.arguments(__doc__, runs=11)
    given = parser.parse_args(arguments)
    measure.heading("click", "psycopg")
    with temporary_store() as (connection, conninfo, _):
        model_with(connection, "resnet50", clustered(2000, 2048))
        connection.execute("select imgsim.build_embedding_index('resnet50')")
        imgsim = [sys.executable, "-m", "imgsim", "--database", conninfo]
        psql = str(binaries.program("psql"))
        commands = {
            "imgsim --help": [sys.executable, "-m", "imgsim", "--help"],
            "imgsim similar": [*imgsim, "similar", "image 7"],
            "imgsim model list": [*imgsim, "model", "list"],
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import psycopg, numpy'": [sys.executable, "-c", "import psycopg, numpy"],
            "psql -c 'select 1'": [psql, "-X", "-d", conninfo, "-c", "select 1"],
        }
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.runs + 1):
            for name, command in commands.items():
                taken[name].append(cpu_seconds(command))
    print("\nCPU seconds of a process (the first run left out)")
    for name, seconds in taken.items():
        later = seconds[1:]
        print(
            f"  {name:<44}{statistics.median(later):>8.3f} s ({min(later):.3f} to {max(later):.3f})"
        )
