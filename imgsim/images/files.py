"""Finds image files and tells them apart: their paths as text, their content by its hash."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imgsim.errors import NotFoundError

SUFFIXES = frozenset(
    {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".gif", ".bmp", ".dib"}
    | {".webp", ".avif", ".jp2", ".j2k", ".jpx", ".jpf", ".jpc", ".j2c"}
)

FOLDER, LINK = "folder", "link"


@dataclass(frozen=True)
class Found:
    """A file that may be an image. `path` is absolute, as Python's file functions take it."""

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Ignored:
    """A file that does not claim to be an image."""

    path: str


@dataclass(frozen=True)
class Refused:
    """A file, or one frame of it, that cannot be taken in: at which stage, and why."""

    path: str
    stage: str
    reason: str
    frame: int = 1
    size: int | None = None


def path_text(path: str) -> str:
    r"""The path as text that PostgreSQL, CSV and a terminal can hold; `path_from_text` undoes it.

    A byte that is not UTF-8 becomes ``\xNN``, and a backslash of the name itself ``\\``.

    >>> path_text("/scans/Fu\udcdfnote\\2.png")
    '/scans/Fu\\xdfnote\\\\2.png'
    """
    if os.sep == "\\":
        return path.replace("\\", "/")
    return re.sub(
        r"[\udc80-\udcff]",
        lambda match: f"\\x{ord(match[0]) - 0xDC00:02x}",
        path.replace("\\", "\\\\"),
    )


def path_from_text(text: str) -> str:
    """The path that `path_text` wrote."""
    if os.sep == "\\":
        return text
    return re.sub(
        r"\\(?:\\|x([0-9a-f]{2}))",
        lambda match: chr(0xDC00 + int(match[1], 16)) if match[1] else "\\",
        text,
    )


def find(paths: Iterable[Path]) -> Iterator[Found | Ignored | Refused]:
    """Walk folders and files in a fixed order, one folder at a time.

    A file named by itself is taken whatever its ending; links to folders inside are not followed.

    Raises:
        NotFoundError: one of `paths` does not exist (before anything is found).
    """
    found = roots(paths)
    folders = {root for root in found if os.path.isdir(root)}
    for root in sorted(found):
        if root not in folders:
            yield look_at(root)
        elif folders.isdisjoint(map(str, Path(root).parents)):
            yield from (item for item in _walk(root) if item.path not in found)


def roots(paths: Iterable[Path]) -> set[str]:
    """The paths as they are stored: absolute, links in them followed.

    Raises:
        NotFoundError: one of them does not exist.
    """
    found: set[str] = set()
    for path in paths:
        if not os.path.lexists(path):
            raise NotFoundError(f"there is no file or folder {path}", "see that the path is right")
        found.add(os.path.realpath(path))
    return found


def count(paths: Iterable[Path]) -> int:
    """About how many files `find` will find under paths: told by their names, none looked at."""
    found = roots(paths)
    folders = [root for root in found if os.path.isdir(root)]
    return len(found) - len(folders) + sum(_names_below(folder) for folder in folders)


def _names_below(root: str) -> int:
    return sum(is_named_as_image(name) for _, _, names in os.walk(root) for name in names)


def is_named_as_image(name: str) -> bool:
    """Whether a file claims to be an image, by its ending."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def _walk(root: str) -> Iterator[Found | Ignored | Refused]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted((entry.name, _kind(entry)) for entry in entries)
        except OSError as exc:
            yield Refused(folder, "scan", f"cannot list the folder: {os_reason(exc)}")
            continue
        waiting.extend(
            os.path.join(folder, name) for name, kind in reversed(listed) if kind == FOLDER
        )
        for name, kind in listed:
            path = os.path.join(folder, name)
            if kind == FOLDER or (kind == LINK and os.path.isdir(path)):
                continue
            yield look_at(path) if is_named_as_image(name) else Ignored(path)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return LINK
    return FOLDER if entry.is_dir(follow_symlinks=False) else ""


def look_at(path: str) -> Found | Refused:
    """A file as it is now, whatever its name."""
    try:
        found = os.stat(path)
    except OSError as exc:
        return Refused(path, "scan", os_reason(exc))
    if not stat.S_ISREG(found.st_mode):
        return Refused(path, "scan", "not a regular file (a device, pipe or socket)")
    return Found(path, found.st_size, found.st_mtime_ns)


def digest(found: Found) -> str | Refused:
    """SHA-256 of a file in hexadecimal."""
    if found.size == 0:
        return Refused(found.path, "read", "empty file (0 bytes)", size=0)
    try:
        with open(found.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return Refused(found.path, "read", os_reason(exc), size=found.size)


def os_reason(exc: OSError) -> str:
    """What the operating system said, in words for people."""
    if isinstance(exc, PermissionError):
        return "no permission to read it"
    if isinstance(exc, FileNotFoundError):
        return "no such file (a broken link, or removed meanwhile)"
    return exc.strerror or str(exc)
