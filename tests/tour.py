"""The journey in docs/tour.md: typed into a terminal, and compared with what the page shows.

python -m tests.tour writes the screens of now into the page.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.desk import CHECKOUT
from tests.screen import typed

PAGE = CHECKOUT / "docs" / "tour.md"
BLOCK = re.compile(
    r"^(?P<loosely><!-- counts may differ -->\n)?```console\n(?P<text>.*?)^```\n",
    re.DOTALL | re.MULTILINE,
)
HOME = "~/.local/share/imgsim"
ELLIPSIS = "…"

PASSING = re.compile(r"\d+%|pictures/s|drawing \d+ of|^\s*$")
"""Lines of progress, of which the last state is left, and empty ones."""

NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.]*\w)")
TOLERANCE = 0.03
"""How far a score may lie from the page's: processors differ in the last digits of a sum."""

FEW = 6
"""How far a count may lie from the page's, where the page says that counts may differ."""


@dataclass(frozen=True)
class Typed:
    """A command of the page, and the lines below it."""

    command: str
    lines: list[str]
    loosely: bool


def steps(page: str) -> Iterator[Typed]:
    """The commands of a page in order."""
    for block in BLOCK.finditer(page):
        command, _, shown = block["text"].partition("\n")
        yield Typed(command.removeprefix("$ "), shown.splitlines(), bool(block["loosely"]))


def see(command: str, home: Path, desk: Path) -> tuple[int, list[str]]:
    """Type a command, and return its exit code and the lines that stay, as the page has them."""
    words = [word.replace(HOME, str(home)) for word in shlex.split(command)]
    assert words[0] == "imgsim"
    shown = typed(
        *words[1:],
        at=desk,
        variables={
            "IMGSIM_HOME": str(home),
            "IMGSIM_SCHOLAR": "Mary Jones",
            "IMGSIM_CONFIG": "",
            "XDG_CONFIG_HOME": str(desk / "no settings"),
            "NO_COLOR": "1",
            "PATH": f"{desk / 'bin'}{os.pathsep}{os.environ['PATH']}",
        },
    )
    lines = [line.replace(str(home), HOME) for line in shown.lines]
    return shown.code, [line for line in lines if not PASSING.search(line)]


def differences(shown: list[str], seen: list[str], loosely: bool = False) -> list[str]:
    """Say where a screen is not what the page shows; one `…` in the page stands for any lines."""
    if ELLIPSIS in shown:
        at = shown.index(ELLIPSIS)
        rest = shown[at + 1 :]
        tail = seen[max(at, len(seen) - len(rest)) :]
        return differences(shown[:at], seen[:at], loosely) + differences(rest, tail, loosely)
    wrong = [
        f"page:   {one}\nscreen: {other}"
        for one, other in zip(shown, seen, strict=False)
        if not is_alike(one, other, loosely)
    ]
    wrong += [f"only on the page: {line}" for line in shown[len(seen) :]]
    return wrong + [f"only on the screen: {line}" for line in seen[len(shown) :]]


def is_alike(one: str, other: str, loosely: bool = False) -> bool:
    """Whether two lines are the same but for the last digits of scores, or a few in counts."""
    if " ".join(NUMBER.sub("#", one).split()) != " ".join(NUMBER.sub("#", other).split()):
        return False
    for a, b in zip(NUMBER.findall(one), NUMBER.findall(other), strict=True):
        by = TOLERANCE if "." in a else 0
        by = FEW if loosely and len(a) < 8 else by
        if abs(float(a.replace(",", "")) - float(b.replace(",", ""))) > by:
            return False
    return True


def lay(place: Path) -> tuple[Path, Path]:
    """Make a home and a folder to type in, with `imgsim` on the path; returns both."""
    home, desk = place / "home", place / "desk"
    (desk / "bin").mkdir(parents=True)
    command = desk / "bin" / "imgsim"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return home, desk


def leave(home: Path) -> None:
    """Stop the servers of the stores that the page makes."""
    for store in ((), ("--store", "demo")):
        typed(*store, "db", "stop", variables={"IMGSIM_HOME": str(home)})


def rewritten(page: str, home: Path, desk: Path) -> str:
    """Return the page with the screens of now; a block that shows `…` keeps its own lines."""

    def renewed(match: re.Match[str]) -> str:
        (step,) = steps(match[0])
        code, seen = see(step.command, home, desk)
        print(f"$ {step.command}\n{chr(10).join(seen)}\n", f"[{code}]" * bool(code), flush=True)
        lines = step.lines if ELLIPSIS in step.lines else seen
        return (
            (match["loosely"] or "")
            + "```console\n"
            + "\n".join([f"$ {step.command}", *lines])
            + "\n```\n"
        )

    return BLOCK.sub(renewed, page)


def main() -> None:
    """Write the screens of now into the page."""
    place = Path(tempfile.mkdtemp(prefix="imgsim-tour-"))
    place.chmod(0o755)
    home, desk = lay(place)
    try:
        PAGE.write_text(rewritten(PAGE.read_text("utf-8"), home, desk), "utf-8")
    finally:
        leave(home)
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
