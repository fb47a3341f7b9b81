"""`imgsim group`: groups of re-use, from evidence and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import Similarity
from imgsim.cli.output import say, warn
from imgsim.cli.place import Place, pass_place
from imgsim.settings import NEIGHBOURS
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.reuse.groups import Built


@click.command()
@click.option(
    "--least",
    type=Similarity(0, 1),
    default=0.9,
    show_default=True,
    help="The least probability at which evidence links two pictures.",
)
@click.option(
    "--tightness",
    type=Similarity(0, 1),
    default=0.0,
    show_default=True,
    help="Unite groups only where this share of the pairs across them is linked; 0: one link "
    "is enough, 1: all must be.",
)
@click.option("--parts", is_flag=True, help="Also link pictures that share only a part of a block.")
@pass_place
def group(place: Place, least: float, tightness: float, parts: bool) -> None:
    """Build groups of re-use: pictures linked by evidence and verdicts.

    Verdicts win: where scholars agree that two pictures are of one block they are linked, and where
    they agree on anything else the two never come into one group. Groups keep their numbers
    where most of their pictures stay.

    In psql: select * from imgsim.reuse_group;
    """
    from imgsim.reuse import groups

    with place.connect() as connection:
        built = groups.build(connection, least=least, tightness=tightness, parts=parts)
        warn_of_half(connection)
    onward.then("group", **({"group": built.largest} if built.groups else {}))
    if not built.groups:
        onward.then("")
        say(f"no groups: no two pictures are linked with a probability of at least {least:g}")
    else:
        say(
            f"{counted(built.groups, 'group')} of {counted(built.images, 'picture')} from "
            f"{counted(built.books, 'book')}, held together by {counted(built.links, 'link')}"
        )
        say(
            f"the largest is group {built.largest}, "
            f"with {counted(built.largest_images or 0, 'picture')}"
        )
    if not built.changed:
        say("the groups have not changed")
    _tell_what_was_passed_over(built)


def warn_of_half(connection: Connection) -> None:
    """Warns that what is said of the evidence is not yet all: a verification was interrupted."""
    from imgsim.reuse.evidence import verification

    verified, candidates = verification.share(connection, NEIGHBOURS)
    if verified < candidates:
        pairs = f"{verified:,} of {counted(candidates, 'pair')} of like pictures"
        warn(f"only {pairs} are verified; go on with: imgsim verify")


def warn_of_older(connection: Connection) -> None:
    """Warns of what has changed since the groups were built, and of pairs not verified yet."""
    from imgsim.reuse import groups

    warn_of_half(connection)

    status = groups.status(connection)
    since = (
        (status.verified_since, "verification"),
        (status.judged_since, "verdict"),
        (status.removed_since, "removed picture"),
    )
    if not status.is_current:
        newer = ", ".join(counted(number, what) for number, what in since if number)
        warn(f"the groups do not include {newer}; build them again: imgsim group")


def _tell_what_was_passed_over(built: Built) -> None:
    if built.separated:
        verdicts = built.separated_verdicts
        among = f" ({counted(verdicts, 'verdict')} of same block among them)" if verdicts else ""
        link = counted(built.separated, "link")
        say(f"skipped {link} that verdicts rule out{among}")
    if built.loose:
        say(f"skipped {counted(built.loose, 'link')} between groups that are too loosely linked")
    if built.disputed:
        say(
            f"scholars disagree on {counted(built.disputed, 'pair')}: the evidence decides "
            "(imgsim report verdicts --disputed)"
        )
