"""`imgsim doctor`: what is there, what is missing, and the next step for each."""

from __future__ import annotations

import shutil
import sys
import textwrap

import click

from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place

COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}


@click.command()
@click.option(
    "--mend", is_flag=True, help="Delete entries that name removed pictures or earlier contents."
)
@pass_place
def doctor(place: Place, mend: bool) -> int:
    """Check the whole installation, and say what to do next. Exit code 1 if something is broken."""
    from imgsim import doctor
    from imgsim.wording import counted

    if mend:  # first, so that what is examined is the store as it is left
        with place.connect() as connection:
            gone = doctor.mend(connection)
        say(
            f"{counted(gone.lists, 'neighbour list')}, {counted(gone.pairs, 'pair')} and "
            f"{counted(gone.verifications, 'verification')} deleted"
        )
        if gone.lists or gone.pairs:
            say("  next: imgsim neighbours; imgsim pairs")
    broken = False
    for finding in doctor.examine(place.settings):
        click.secho(f"{finding.state:<5}", fg=COLOURS[finding.state], nl=False)
        click.echo(_wrapped(f"{finding.what:<9} ", finding.detail, before=5))
        if finding.next_step:
            click.echo(_wrapped(f"{'':<15}next: ", finding.next_step))
        broken = broken or finding.state == "bad"
    return int(broken)


def _wrapped(lead: str, text: str, before: int = 0) -> str:
    """Returns a text broken between words where a terminal's line ends, its lines below each other.

    Args:
        before: how much of the first line has been written already.
    """
    indent = " " * (before + len(lead))
    # What is piped into a file or another program keeps its lines.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    lines = textwrap.wrap(
        text,
        max(width - len(indent), 20),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lead + f"\n{indent}".join(lines or [""])
