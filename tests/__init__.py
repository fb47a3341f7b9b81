"""The tests. Where several processes run them, each takes its share of the cores.

Read before any library is imported that starts threads of its own.
"""

import os

from imgsim.work import usable

if workers := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # OpenMP's threads spin while they wait for each other. Where every process has as many of them
    # as there are cores, they wait for threads that are kept off the cores by others' waiting.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(max(1, usable() // int(workers)))
