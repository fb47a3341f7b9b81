"""One name in several spellings: accents composed (é) or decomposed (e and an accent).

A Mac hands names on decomposed, everybody types them composed. Linux takes the two for names of
two files, a Mac for one.
"""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import cache


def composed(text: str) -> str:
    """Returns a text with its accents composed (Unicode's form NFC), as names are stored."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spelt_alike(names: Iterable[str]) -> list[list[str]]:
    """Returns those of a folder's names that differ only in how accents are written, in groups."""
    groups = defaultdict(list)
    for name in names:
        if not name.isascii():
            groups[composed(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def is_listed(path: str) -> bool:
    """Returns whether a file is there under exactly this name.

    A Mac opens a file by either spelling, so that a renamed one would seem to be there twice.
    """
    if not os.path.lexists(path):
        return False
    folder, name = os.path.split(path)
    names = {} if name.isascii() else _names(folder)
    return not names or name in names.get(composed(name), ())


class Folders:
    """The names in folders, each listed once."""

    def __init__(self) -> None:
        self._names = cache(_names)

    def on_disk(self, path: str) -> str | None:
        """Returns a file's or folder's absolute path with links followed, as its folders spell it.

        None if there is none, or several that differ only in spelling and none as it is given.
        """
        if os.path.lexists(path):
            found = os.path.realpath(path)
            return found if found.isascii() else self._spelt(found)
        spelt = path if path.isascii() else self._spelt(os.path.abspath(path))
        return os.path.realpath(spelt) if os.path.lexists(spelt) else None

    def _spelt(self, path: str) -> str:
        """An absolute path with each part as its folder lists it, if one entry is meant."""
        folder, name = os.path.split(path)
        if not name:
            return path
        if not folder.isascii():
            folder = self._spelt(folder)
        names = {} if name.isascii() else self._names(folder)
        same = names.get(composed(name), [name])
        # Where both spellings are there, each is a file of its own: what was typed counts.
        return os.path.join(folder, same[0] if len(same) == 1 else name)


def _names(folder: str) -> dict[str, list[str]]:
    found = defaultdict(list)
    try:
        for name in os.listdir(folder):
            if not name.isascii():
                found[composed(name)].append(name)
    except OSError:
        pass  # what cannot be listed is taken as it was typed
    return found


def on_disk(path: str) -> str | None:
    """Returns a path as its folders spell it; see `Folders.on_disk`."""
    return Folders().on_disk(path)
