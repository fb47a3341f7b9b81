"""Takes times in turns; prints ours, theirs and the ratio, and the machine they are taken on."""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

FLAGS = ("amx_bf16", "avx512_bf16", "avx512f", "avx2")


@dataclass(frozen=True)
class Timing:
    """The seconds of several runs of one thing."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def __str__(self) -> str:
        lowest, highest = min(self.seconds), max(self.seconds)
        return f"{_time(self.median):>10} ({_time(lowest)} to {_time(highest)})"


def arguments(described: str | None, runs: int) -> argparse.ArgumentParser:
    """A parser that knows `--runs`."""
    parser = argparse.ArgumentParser(
        description=described, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=runs, help=f"how often (default: {runs})")
    return parser


def in_turns(
    actions: Mapping[str, Callable[[], object]],
    runs: int,
    before: Callable[[], object] = lambda: None,
) -> dict[str, Timing]:
    """Run all once, then all again: what else the machine does in the meantime meets them all.

    Args:
        before: done before every run, and not timed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(runs):
        for name, action in actions.items():
            before()
            began = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - began)
    return {name: Timing(tuple(taken)) for name, taken in seconds.items()}


def compare(title: str, timings: Mapping[str, Timing]) -> None:
    """Print the first, which is ours, then each other with the ratio of ours to it."""
    ours, *theirs = timings
    print(f"\n{title}")
    print(f"  {ours:<44}{timings[ours]}")
    for name in theirs:
        ratio = timings[ours].median / timings[name].median
        print(f"  {name:<44}{timings[name]}   ours / theirs {ratio:.2f}")


def peer(module: str) -> Any | None:
    """Another program's module, or None, and said, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError:
        print(f"{module} is not here, and is left out: pip install 'imgsim-prints[bench]'")
        return None


def heading(*packages: str) -> None:
    """Print the day, the machine, and the versions of what is compared."""
    load, _, _ = os.getloadavg()
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}  {machine()}; load {load:.1f} before")
    versions = [f"Python {platform.python_version()}"]
    for package in ("imgsim", "numpy", *packages):
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{package} -")
    print(", ".join(versions))


def machine() -> str:
    """Processor, cores, what it multiplies in hardware, and memory."""
    name, flags = platform.processor() or platform.machine(), ""
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line.partition(":") for line in information.read_text().splitlines()]
        values = {key.strip(): value.strip() for key, _, value in reversed(lines)}
        name = values.get("model name", name)
        flags = " ".join(flag for flag in FLAGS if flag in values.get("flags", "").split())
    memory = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{name}, {cores} cores ({flags}), {memory:.0f} GiB, {platform.system()}"


def spread(values: Sequence[float], unit: str) -> str:
    """A median with its quartiles."""
    first, middle, third = statistics.quantiles(values, n=4)
    return f"{middle:.2f} {unit} (quartiles {first:.2f} to {third:.2f})"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.1f} ms"
