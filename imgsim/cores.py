"""How many cores there are to work on."""

from __future__ import annotations

import os


def usable() -> int:
    """How many cores this process may use: a container or a batch system may allow it few."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
