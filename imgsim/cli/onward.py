"""What to do next: the way through the commands, written down once and told when one has ended."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from imgsim.cli.output import say
from imgsim.cli.place import Place

Steps = tuple[tuple[str, str], ...]

STEPS: Mapping[str, Steps] = {
    "ingest": (
        ("similar {name}", "what is like one of the pictures?"),
        ("verify", "which pictures come from one block?"),
        ("metadata load FILE", "titles, years and places of the books"),
    ),
    "similar": (
        ("plot grid {image}", "see them side by side"),
        ("verify {image} {other}", "does the first come from the same block?"),
    ),
    "neighbours": (("verify", "which of them come from one block?"),),
    "pairs": (("verify", "which of them come from one block?"),),
    "metadata load": (("report documents", "which books have pictures like those of others?"),),
    "metadata load, no pictures": (("ingest FOLDER", "take the pictures in"),),
    "metadata load, pictures without a book": (
        ("metadata link FILE", "a table that says which picture is in which book"),
    ),
    "metadata link": (("report documents", "which books have pictures like those of others?"),),
    "region load": (("region accept FOLDER", "which of them shall be pictures?"),),
    "region load, accepted": (("ingest FOLDER", "take the pages in: each region is a picture"),),
    "region accept": (("ingest FOLDER", "take the pages in: each region is a picture"),),
    "table load": (("psql", "ask in SQL, with your table joined"),),
    "verify": (
        ("group", "put the pictures of each block together"),
        ("report evidence", "every pair, the surest first"),
    ),
    "verify two": (("plot overlay {image} {other}", "see one laid over the other"),),
    "verdict": (("group", "groups follow verdicts"),),
    "group": (
        ("report groups", "where and when was each picture used?"),
        ("plot group {group}", "see one group through the years"),
    ),
    "report neighbours": (("verify {name} {other_name}", "do the first two come from one block?"),),
    "report documents": (
        ("report neighbours --other-documents-only", "which pictures are these?"),
    ),
    "report evidence": (
        ("plot overlay {name} {other_name}", "see the first two laid over each other"),
        ("verdict {name} {other_name} VERDICT", "say what they are"),
    ),
    "report groups": (
        ("report reuse --group {group_id}", "the first of them, picture by picture"),
        ("plot group {group_id}", "see it through the years"),
    ),
    "report reuse": (("plot group {group_id}", "see the first group through the years"),),
    "report verdicts": (("group", "groups follow verdicts"),),
    "status, no pictures": (
        ("ingest FOLDER", "take your pictures in"),
        ("demo", "or see it at work on drawn plates first"),
    ),
    "status, not verified": (("verify", "which pictures come from one block?"),),
    "status, not grouped": (("group", "put the pictures of each block together"),),
    "status, no books": (("metadata load FILE", "titles, years and places of the books"),),
    "status": (("report groups", "where and when was each picture used?"),),
    "model add": (("ingest FOLDER", "look at the pictures with it"),),
    "model train": (("ingest FOLDER --model {model}", "look at the pictures with it"),),
    "model fetch": (("ingest FOLDER --model imagenet", "take pictures in with them"),),
}
"""By the command that has ended: commands, with what each is good for.

A step with a {value} that the command did not give is not told.
"""

PATH, CHOSEN = "imgsim.path", "imgsim.steps"
LEAD = "next: "


def then(key: str, /, **values: object) -> None:
    """Chooses which steps are told when the running command has ended, and what they speak of.

    An empty key tells none.
    """
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[CHOSEN] = (key, values)


def tell(context: click.Context) -> None:
    """Tells the steps after the command that has just ended, if there are any."""
    path = " ".join(context.meta.get(PATH, ()))
    key, values = context.meta.get(CHOSEN, (path, {}))
    place = context.find_object(Place)
    steps = [
        (command_line(command, values, place), words)
        for command, words in STEPS.get(key, ())
        if _is_complete(command, values)
    ]
    show(steps)


def show(steps: Sequence[tuple[str, str]]) -> None:
    """Says command lines and what each is good for, one below the other."""
    if not steps:
        return
    width = max(len(line) for line, _ in steps)
    beside = max(len(words) for _, words in steps)
    fits = len(LEAD) + width + 3 + beside <= shutil.get_terminal_size().columns
    for number, (line, words) in enumerate(steps):
        lead = LEAD if number == 0 else " " * len(LEAD)
        say(f"{lead}{line:<{width}}   {words}" if fits else f"{lead}{line}\n{'':>8}{words}")


def command_line(command: str, values: Mapping[str, object], place: Place | None) -> str:
    """Returns a command as it can be typed here, for the same store."""
    words = [program()]
    if place is not None and place.store is not None:
        words += ["--store", shlex.quote(place.store)]
    elif place is not None and place.database is not None:
        # It may hold a password.
        words += ["--database", "URL"]
    filled = {name: shlex.quote(str(value)) for name, value in values.items()}
    return " ".join([*words, command.format(**filled)])


def program() -> str:
    """Returns what to type for imgsim: its path where the shell would not find it by its name."""
    called = Path(sys.argv[0]).absolute()
    found = shutil.which("imgsim")
    if called.name != "imgsim" or (found and os.path.samefile(found, called)):
        return "imgsim"
    inside = called.is_relative_to(Path.cwd())
    return shlex.quote(str(called.relative_to(Path.cwd()) if inside else called))


def _is_complete(command: str, values: Mapping[str, object]) -> bool:
    try:
        command.format(**values)
    except KeyError:
        return False
    return True
