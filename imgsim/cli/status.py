"""`imgsim status`: what the store holds, how far the work is, and what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place
from imgsim.settings import NEIGHBOURS
from imgsim.wording import counted, noun

if TYPE_CHECKING:
    from imgsim.collection.holdings import Holdings


@click.command()
@pass_place
def status(place: Place) -> None:
    """Say what the store holds, how far the comparison is, and what comes next."""
    from imgsim.collection import holdings
    from imgsim.reuse.evidence import verification

    with place.connect() as connection:
        held = holdings.held(connection)
        verified, candidates = verification.share(connection, NEIGHBOURS)
    if not held.images:
        say("no pictures yet")
    else:
        _show(held, verified, candidates)
    onward.then(_next_step(held, verified, candidates))


def _show(held: Holdings, verified: int, candidates: int) -> None:
    """Prints a line for each thing that a store holds."""
    of_like = "of like pictures"
    far = (
        f"all {counted(candidates, 'pair')} {of_like}"
        if verified == candidates > 0
        else f"{verified:,} of {counted(candidates, 'pair')} {of_like}"
        if candidates
        else counted(held.verified, "pair")
    )
    lines = (
        ("pictures", f"{held.images:,}"),
        ("books", f"{held.books:,} named by pictures, {held.described:,} of them described"),
        (noun(len(held.models), "network"), ", ".join(held.models)),
        ("verified", far),
        ("groups", f"{held.groups:,}"),
        ("verdicts", f"{held.verdicts:,}"),
    )
    for what, detail in lines:
        click.echo(f"{what:<9} {detail}")


def _next_step(held: Holdings, verified: int, candidates: int) -> str:
    """Returns which steps to tell, by the first thing that is lacking."""
    if not held.images:
        return "status, no pictures"
    if not held.verified or verified < candidates:
        return "status, not verified"
    if not held.groups:
        return "status, not grouped"
    return "status, no books" if not held.described else "status"
