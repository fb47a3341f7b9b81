"""What a reader sees who types a command into a terminal of 80 columns."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COLUMNS = 80
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


@dataclass(frozen=True)
class Screen:
    """The exit code of a command, and all that it wrote on the terminal, in order."""

    code: int
    written: str

    @property
    def is_coloured(self) -> bool:
        return COLOUR.search(self.written) is not None

    @property
    def lines(self) -> list[str]:
        """The lines as they stand at the end, where one was written over another."""
        text = CONTROL.sub("", self.written)
        return [_overwritten(line).rstrip() for line in text.replace("\r\n", "\n").split("\n")]


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown


def typed(
    *arguments: str, at: Path | None = None, variables: Mapping[str, str] | None = None
) -> Screen:
    """Run `imgsim` in a terminal of its own, in this process's environment and these variables."""
    inside, outside = pty.openpty()
    fcntl.ioctl(outside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm", **(variables or {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "imgsim", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=outside,
        stderr=outside,
        cwd=at,
        env=environment,
    )
    os.close(outside)
    written = bytearray()
    # A terminal that nobody writes to any more is read with an error on Linux.
    with contextlib.suppress(OSError):
        while read := os.read(inside, 65536):
            written += read
    os.close(inside)
    return Screen(process.wait(), written.decode("utf-8", "replace"))
