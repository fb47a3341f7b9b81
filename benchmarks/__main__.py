"""The entry point: `python -m benchmarks NAME [OPTIONS]`."""

from __future__ import annotations

import importlib
import signal
import sys

NAMES = (
    *(
        "evidence",
        "evidence_fit",
        "export_memory",
        "index",
        "ingest",
        "ingest_memory",
        "neighbours",
        "overlap",
        "pairs",
    ),
    *("cutting", "retrieval", "similar", "start", "thresholds", "unchanged"),
)


def main(arguments: list[str]) -> int:
    """Run the benchmark that is named first, or list them all."""
    # Ended from outside, a benchmark still stops its server and removes its store.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if arguments and arguments[0] in NAMES:
        importlib.import_module(f"benchmarks.{arguments[0]}").main(arguments[1:])
        return 0
    print("python -m benchmarks NAME [--help]\n")
    for name in NAMES:
        described = importlib.import_module(f"benchmarks.{name}").__doc__ or ""
        print(f"{name:<16}{described.splitlines()[0]}")
    return 1 if arguments and arguments[0] not in ("-h", "--help") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
