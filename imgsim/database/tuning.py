"""PostgreSQL settings for the machine at hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

MEGABYTE = 1 << 20
GIGABYTE = 1 << 30
CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def settings() -> dict[str, str]:
    """PostgreSQL settings from this machine's memory and cores.

    A quarter of the memory for shared buffers, so that index and table of some 100,000 images
    stay in them; an eighth (at most 4 GB) for building an HNSW index.
    """
    memory = usable_memory()
    buffers = _clamp(memory // 4, 128 * MEGABYTE, 16 * GIGABYTE)
    maintenance = _clamp(memory // 8, 64 * MEGABYTE, 4 * GIGABYTE)
    workers = max(1, (os.cpu_count() or 2) - 1)
    return {
        "shared_buffers": _megabytes(buffers),
        "effective_cache_size": _megabytes(_clamp(memory * 5 // 8, buffers, memory)),
        "maintenance_work_mem": _megabytes(maintenance),
        "work_mem": _megabytes(_clamp(memory // 256, 8 * MEGABYTE, 64 * MEGABYTE)),
        "max_parallel_maintenance_workers": str(min(workers, 7)),
        "max_locks_per_transaction": "256",
        "max_wal_size": "4GB",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "dynamic_shared_memory_type": _shared_memory_type(maintenance),
    }


def usable_memory() -> int:
    """Bytes of memory this process may use: the machine's, or the container's if that is less."""
    memory = int(psutil.virtual_memory().total)
    for path in CGROUP_LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            memory = min(memory, int(text))
    return memory


def _shared_memory_type(maintenance: int) -> str:
    # A parallel index build puts up to maintenance_work_mem into /dev/shm, of which a container
    # often has 64 MB; files in the data folder serve as well.
    shm = Path("/dev/shm")  # noqa: S108
    if shm.is_dir() and shutil.disk_usage(shm).total < 2 * maintenance:
        return "mmap"
    return "posix"


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _megabytes(size: int) -> str:
    return f"{size // MEGABYTE}MB"
