"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from imgsim.cli.output import LINE_SECONDS, time_left
from imgsim.errors import ImgsimError
from imgsim.ingest.pipeline import Summary


@contextmanager
def native_libraries_silenced() -> Iterator[None]:
    """Keep what libtiff and others write straight to standard error off the screen.

    Their complaints come as reasons of failed files; here they would run through the progress bar.
    """
    stderr = sys.stderr
    try:
        visible = os.dup(2)
    except OSError:
        yield
        return
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 2)
    sys.stderr = os.fdopen(visible, "w", buffering=1, errors="backslashreplace", closefd=False)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(visible, 2)
        os.close(silent)
        os.close(visible)
        sys.stderr = stderr


@dataclass(frozen=True)
class Shown:
    """Told how far the files are, and then how far the index of each model."""

    files: Callable[[Summary], None]
    index: Callable[[str, int, int], None]


@contextmanager
def ingest_progress(paths: Sequence[Path]) -> Iterator[Shown]:
    """Show how far an ingest is; the files are counted meanwhile, for the time left."""
    total = _Count(paths)
    stream: IO[str] = sys.stderr
    if stream.isatty():
        with _bar(total, stream) as shown:
            yield shown
    else:
        yield Shown(_lines(total, stream), _index_lines(stream))


class _Count(threading.Thread):
    """Counts the files under paths in the background, by their names."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(daemon=True)
        self.total: int | None = None
        self._paths = paths
        self.start()

    def run(self) -> None:
        from imgsim.images.files import count

        with contextlib.suppress(ImgsimError):  # a path that is not there is the ingest's to tell
            self.total = count(self._paths)


@contextmanager
def _bar(total: _Count, stream: IO[str]) -> Iterator[Shown]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        task = progress.add_task("ingest", total=None, rate="")

        def update(summary: Summary) -> None:
            progress.update(
                task, completed=summary.files, total=total.total, rate=_rate(summary, began)
            )

        indexes: dict[str, TaskID] = {}

        def index(model: str, done: int, of: int) -> None:
            if model not in indexes:
                indexes[model] = progress.add_task(f"index of {model}", total=of, rate="")
            progress.update(indexes[model], completed=done)

        yield Shown(update, index)


def _lines(total: _Count, stream: IO[str]) -> Callable[[Summary], None]:
    began = last = time.monotonic()

    def update(summary: Summary) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            of = f" of {total.total:,}" if total.total is not None else ""
            left = time_left(now - began, summary.files, total.total)
            print(
                f"{summary.files:,}{of} files, {_rate(summary, began)}{left}",
                file=stream,
                flush=True,
            )

    return update


def _index_lines(stream: IO[str]) -> Callable[[str, int, int], None]:
    last = time.monotonic()

    def update(model: str, done: int, of: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_SECONDS:
            last = now
            print(f"index of {model}: {done:,} of {of:,}", file=stream, flush=True)

    return update


def _rate(summary: Summary, began: float) -> str:
    return f"{summary.pictures / max(time.monotonic() - began, 1e-3):.1f} images/s"
