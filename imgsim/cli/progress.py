"""Progress of long work: one line that changes on a terminal, a line now and then elsewhere."""

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
from typing import TYPE_CHECKING

import click

from imgsim.cli.output import printable
from imgsim.errors import ImgsimError
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.ingest.summary import Summary

LINE_SECONDS = 10.0
"""Between two lines in a log, where they stay; a terminal's line changes as often as it is told."""


class Line:
    """Where progress is told, on standard error."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._width = 0

    def passing(self, text: str) -> None:
        """Shows what the next call replaces."""
        if sys.stderr.isatty():
            self._write(text, ends=False)
        elif time.monotonic() - self._told >= LINE_SECONDS:
            self._told = time.monotonic()
            self._write(text, ends=True)

    def lasting(self, text: str) -> None:
        """Shows what stays, in the place of what was passing."""
        self._write(text, ends=True)

    def clear(self) -> None:
        """Takes away what was passing, so that the next message begins a line of its own."""
        if self._width:
            click.echo(f"\r{'':{self._width}}\r", nl=False, err=True)
            self._width = 0

    def _write(self, text: str, *, ends: bool) -> None:
        # A file's or a model's name may hold what would move the cursor.
        text = printable(text)
        start = "\r" if sys.stderr.isatty() else ""
        # Blanks cover what a longer line before has left on the terminal.
        click.echo(f"{start}{text:<{self._width}}", nl=ends, err=True)
        self._width = 0 if ends or not start else len(text)


class Pace:
    """How fast work goes, from the first that was done.

    The clock does not start with the command: networks are loaded, and a server started, before
    the first picture is finished, and that time says nothing of the pictures to come.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._before = 0

    def per_second(self, done: int) -> float | None:
        """Returns how many were done in a second; None until two moments can be compared."""
        now = time.monotonic()
        if self._began is None:
            if done:
                self._began, self._before = now, done
            return None
        if done <= self._before or now <= self._began:
            return None
        return (done - self._before) / (now - self._began)

    def left(self, done: int, of: int | None) -> str:
        """Returns how long the rest will take, as a clause; empty where that is not known."""
        rate = self.per_second(done)
        if rate is None or not of or done >= of:
            return ""
        minutes, seconds = divmod(round((of - done) / rate), 60)
        return f", {minutes}:{seconds:02} left"


def progress_line(doing: str) -> Callable[[str, int, int], None]:
    """Returns what shows how far work is: told of what (a model), how much is done, of how much."""
    line, pace = Line(), Pace()

    def update(what: str, done: int, of: int) -> None:
        nonlocal pace
        text = f"{doing} {what}: {done / max(of, 1):4.0%}{pace.left(done, of)}"
        if done < of:
            line.passing(text)
        else:
            # In a log the result is said by the command itself, so only a terminal's line ends.
            line.lasting(text) if sys.stderr.isatty() else line.passing(text)
            pace = Pace()  # the next model has a pace of its own

    return update


@contextmanager
def native_libraries_silenced() -> Iterator[None]:
    """Keep what libtiff and others write straight to standard error off the screen.

    Their complaints come as reasons of failed files; here they would run through the progress bar.
    """
    # C libraries write to the descriptor: it is turned away, and Python's own stream kept aside.
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
    """What an ingest tells of its files, and then of the index of each model."""

    files: Callable[[Summary], None]
    index: Callable[[str, int, int], None]


@contextmanager
def ingest_progress(paths: Sequence[Path]) -> Iterator[Shown]:
    """Shows how far an ingest is; the files are counted meanwhile, for the time left."""
    total, line, files, pictures = _Count(paths), Line(), Pace(), Pace()

    def update(summary: Summary) -> None:
        rate = pictures.per_second(summary.pictures)
        # Files that are passed over take no time, so the clock waits for the first picture.
        left = files.left(summary.files if summary.pictures else 0, total.total)
        of = f" of {total.total:,}" if total.total is not None else ""
        speed = f", {rate:.1f} pictures/s" if rate is not None else ""
        noun = counted(total.total or summary.files, "file").rpartition(" ")[2]
        line.passing(f"{summary.files:,}{of} {noun}{speed}{left}")

    try:
        yield Shown(update, progress_line("index of"))
    finally:
        line.clear()


class _Count(threading.Thread):
    """Counts the files under paths in the background, by their names."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__(daemon=True)
        self.total: int | None = None
        self._paths = paths
        self.start()

    def run(self) -> None:
        from imgsim.images.files import count

        with contextlib.suppress(ImgsimError):  # the ingest itself says that a path is not there
            self.total = count(self._paths)
