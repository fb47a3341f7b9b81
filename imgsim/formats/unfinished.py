"""Files that get their names all together when they are finished, or not at all."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from imgsim.errors import ImgsimError

PREFIX = ".imgsim-unfinished-"


def refuse_existing(folder: Path, names: Iterable[str], force: bool) -> None:
    """Checks that the folder can be written to, and that nothing is overwritten without `force`.

    Raises:
        ImgsimError: it cannot, or a file of those names is there and `force` is not given.
    """
    place = folder if folder.exists() else folder.parent
    if not place.is_dir():
        reason = "is not a folder" if place.exists() else "does not exist"
        raise ImgsimError(f"cannot write into {folder}: {place} {reason}", "give another --output")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ImgsimError(f"cannot write into {place}: permission denied", "give another --output")
    there = [name for name in names if os.path.lexists(folder / name)]
    if there and not force:
        raise ImgsimError(
            f"{folder / there[0]} already exists",
            "give another --output, or --force to replace it",
        )


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """Yields a hidden folder to write in, whose files move into `folder` if all goes well.

    After an error, a full disk or an interruption nothing is left of it. The next process clears
    away what a killed one left.

    Raises:
        ImgsimError: the files could not be written or moved.
    """
    made = not folder.exists()
    scratch: Path | None = None
    try:
        folder.mkdir(exist_ok=True)
        _clear_abandoned(folder)
        owner = f"{socket.gethostname()}-{os.getpid()}-"
        scratch = Path(tempfile.mkdtemp(prefix=PREFIX + owner, dir=folder))
        yield scratch
        # All in one file system: a rename takes no room, and each is whole at once.
        for file in sorted(scratch.iterdir()):
            os.replace(file, folder / file.name)
    except OSError as exc:
        raise ImgsimError(
            f"cannot write into {folder}: {exc.strerror or exc}; nothing was left there",
            "check that the disk has room and the folder can be written to, then run it again",
        ) from exc
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
        if made and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _clear_abandoned(folder: Path) -> None:
    mine = f"{PREFIX}{socket.gethostname()}-"
    for left in folder.glob(f"{mine}*"):
        process = left.name.removeprefix(mine).split("-")[0]
        # On a shared disk only this machine's processes can be looked for: hence the host's name.
        if process.isdigit() and not psutil.pid_exists(int(process)):
            shutil.rmtree(left, ignore_errors=True)
