"""`imgsim doctor`: what is there, what is missing, and the next step for each."""

from __future__ import annotations

import sys

import click

from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place
from imgsim.cli.wrapping import wrapped

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
        click.echo(f"{finding.what:<9} {wrapped(finding.detail, 15, sys.stdout)}")
        if finding.next_step:
            click.echo(f"{'':<15}next: {wrapped(finding.next_step, 21, sys.stdout)}")
        broken = broken or finding.state == "bad"
    return int(broken)
