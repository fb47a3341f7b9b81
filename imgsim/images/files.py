"""Finds image files, writes their paths as text and knows their content by its hash."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imgsim.errors import NotFoundError
from imgsim.images import kinds
from imgsim.images.spelling import Folders, spelt_alike

FOLDER, LINK = "folder", "link"

LONGEST_PATH = 2680
"""Bytes of a path's text. An entry of a B-tree has at most 2,704, the page's number included."""

LOOKED_AT = 50
"""How many files of one strange ending are opened to see whether they hold pictures."""

START = 32


@dataclass(frozen=True)
class Found:
    """A file that may be an image. `path` is absolute, as Python's file functions take it."""

    path: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Ignored:
    """A file that does not claim to be an image, or a folder that is hidden or a system's.

    `holds` names the format of a file that holds a picture all the same, as far as it was looked.
    """

    path: str
    folder: bool = False
    holds: str = ""


@dataclass(frozen=True)
class SpeltAlike:
    """Files or folders of one folder whose names differ only in how accents are written."""

    paths: tuple[str, ...]


@dataclass(frozen=True)
class Refused:
    """A file, or one frame of it, that cannot be taken in: at which stage, and why."""

    path: str
    stage: str
    reason: str
    frame: int = 1
    size: int | None = None


Item = Found | Ignored | Refused | SpeltAlike
"""What is found under a folder."""


def path_text(path: str) -> str:
    r"""Returns a path as text for PostgreSQL, CSV and terminals; `path_from_text` undoes it.

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
    """Returns the path that `path_text` wrote."""
    if os.sep == "\\":
        return text
    return re.sub(
        r"\\(?:\\|x([0-9a-f]{2}))",
        lambda match: chr(0xDC00 + int(match[1], 16)) if match[1] else "\\",
        text,
    )


def find(paths: Iterable[Path]) -> Iterator[Item]:
    """Walks folders and files in a fixed order, one folder at a time.

    A file or folder named by itself is taken whatever its name. Inside, links to folders are not
    followed, and folders that are hidden or a system's are passed over.

    Raises:
        NotFoundError: one of `paths` does not exist (before anything is found).
    """
    found = roots(paths)
    folders = {root for root in found if os.path.isdir(root)}
    looked_at: Counter[str] = Counter()
    for root in sorted(found):
        if root not in folders:
            yield _taken(root)
        elif not _is_walked(root, folders):
            for item in _walk(root, looked_at):
                if isinstance(item, SpeltAlike) or item.path not in found:
                    yield item


def _is_walked(folder: str, folders: set[str]) -> bool:
    """Returns whether walking through one of the folders leads through this one."""
    below = Path(folder)
    for parent in below.parents:
        if kinds.is_set_aside(below.name):
            return False
        if str(parent) in folders:
            return True
        below = parent
    return False


def _taken(path: str) -> Found | Refused:
    """Returns a file as it is now, unless the store has no room for its path."""
    size = len(path_text(path).encode()) if len(path) > LONGEST_PATH // 4 else 0
    if size > LONGEST_PATH:
        return Refused(
            path,
            "scan",
            f"path too long: {size:,} bytes, the store holds {LONGEST_PATH:,} (give the folders "
            "shorter names, or move the file)",
        )
    return look_at(path)


def roots(paths: Iterable[Path]) -> set[str]:
    """Returns the paths as they are stored: absolute, links in them followed, spelt as on disk.

    Raises:
        NotFoundError: one of them does not exist.
    """
    found: set[str] = set()
    folders = Folders()
    for path in paths:
        there = folders.on_disk(str(path))
        if there is None:
            raise NotFoundError(f"there is no file or folder {path}", "see that the path is right")
        found.add(there)
    return found


def count(paths: Iterable[Path]) -> int:
    """Returns about how many files `find` will find, by their names; none is looked at."""
    found = roots(paths)
    folders = [root for root in found if os.path.isdir(root)]
    return len(found) - len(folders) + sum(_names_below(folder) for folder in folders)


def _names_below(root: str) -> int:
    number = 0
    for _, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not kinds.is_set_aside(name)]
        number += sum(map(kinds.is_named_as_image, names))
    return number


def _walk(root: str, looked_at: Counter[str]) -> Iterator[Item]:
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted((entry.name, _kind(entry)) for entry in entries)
        except OSError as exc:
            yield Refused(folder, "scan", f"cannot list the folder: {os_reason(exc)}")
            continue
        below = [name for name, kind in listed if kind == FOLDER]
        inside = [name for name in below if not kinds.is_set_aside(name)]
        waiting.extend(os.path.join(folder, name) for name in reversed(inside))
        for names in spelt_alike(name for name, _ in listed if not kinds.is_hidden(name)):
            yield SpeltAlike(tuple(os.path.join(folder, name) for name in names))
        for name in below:
            if kinds.is_set_aside(name):
                yield Ignored(os.path.join(folder, name), folder=True)
        for name, kind in listed:
            path = os.path.join(folder, name)
            if kind == FOLDER or (kind == LINK and os.path.isdir(path)):
                continue
            yield _taken(path) if kinds.is_named_as_image(name) else _ignored(path, looked_at)


def _kind(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return LINK
    return FOLDER if entry.is_dir(follow_symlinks=False) else ""


def _ignored(path: str, looked_at: Counter[str]) -> Ignored:
    name = os.path.basename(path)
    suffix = kinds.suffix_of(name)
    known = suffix in kinds.NO_PICTURES or suffix in kinds.UNREAD_SUFFIXES
    if known or kinds.is_hidden(name) or looked_at[suffix] >= LOOKED_AT:
        return Ignored(path)
    looked_at[suffix] += 1
    return Ignored(path, holds=kinds.read_by_start(start_of(path)) or "")


def start_of(path: str) -> bytes:
    """Returns the first bytes of a regular file; none if it cannot be read."""
    try:
        # Whoever opens a pipe waits for another program to write into it.
        if not stat.S_ISREG(os.stat(path).st_mode):
            return b""
        with open(path, "rb") as file:
            return file.read(START)
    except OSError:
        return b""


def look_at(path: str) -> Found | Refused:
    """Returns a file as it is now, whatever its name."""
    try:
        found = os.stat(path)
    except OSError as exc:
        return Refused(path, "scan", os_reason(exc))
    if not stat.S_ISREG(found.st_mode):
        return Refused(path, "scan", "not a regular file (a device, pipe or socket)")
    return Found(path, found.st_size, found.st_mtime_ns)


def digest(found: Found) -> str | Refused:
    """Returns the SHA-256 of a file in hexadecimal."""
    if found.size == 0:
        return Refused(found.path, "read", "empty file (0 bytes)", size=0)
    try:
        with open(found.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as exc:
        return Refused(found.path, "read", os_reason(exc), size=found.size)


def os_reason(exc: OSError) -> str:
    """Returns what the operating system said, in words for people."""
    if isinstance(exc, PermissionError):
        return "no permission to read it"
    if isinstance(exc, FileNotFoundError):
        return "no such file (a broken link, or removed meanwhile)"
    return exc.strerror or str(exc)
