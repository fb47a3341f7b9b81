"""Sentences broken between words where a terminal's line ends."""

from __future__ import annotations

import shutil
import textwrap
from typing import IO

LEAST = 20


def wrapped(text: str, indent: int, stream: IO[str]) -> str:
    """Returns a text whose further lines begin below the first one's words.

    A file or a pipe keeps its lines: who reads them there may look for a whole sentence.

    Args:
        indent: how much stands before the text on its first line.
    """
    if not stream.isatty():
        return text
    room = max(shutil.get_terminal_size().columns - indent, LEAST)
    lines = [
        part
        for line in text.split("\n")
        # Paths and commands are to be copied whole.
        for part in textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
        or [""]
    ]
    return f"\n{' ' * indent}".join(lines)
