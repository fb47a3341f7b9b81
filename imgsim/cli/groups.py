"""`imgsim group`: groups of re-use, from evidence and verdicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from imgsim.cli.arguments import Similarity
from imgsim.cli.output import say, warn
from imgsim.cli.place import Place, pass_place
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
    help="Groups unite only where this share of the pairs across them are linked; 0: one link "
    "is enough, 1: all must be.",
)
@click.option("--parts", is_flag=True, help="Link pictures of which only a part is of one block.")
@pass_place
def group(place: Place, least: float, tightness: float, parts: bool) -> None:
    """Build groups of re-use: pictures that evidence and verdicts hold together.

    Verdicts win: where scholars agree that two pictures are of one block they are linked, and where
    they agree on anything else the two never come into one group. Groups keep their numbers
    where most of their pictures stay.

    In psql: select * from imgsim.reuse_group;
    """
    from imgsim.reuse import groups

    with place.connect() as connection:
        built = groups.build(connection, least=least, tightness=tightness, parts=parts)
    if not built.groups:
        say(f"no groups: no two pictures are linked with a probability of at least {least:g}")
    else:
        say(
            f"{counted(built.groups, 'group')} of {counted(built.images, 'picture')} from "
            f"{counted(built.books, 'book')}, held together by {counted(built.links, 'link')}"
        )
        say(f"the largest is group {built.largest}, of {built.largest_images:,} pictures")
    if not built.changed:
        say("nothing has changed: the groups are as they were")
    _tell_what_was_passed_over(built)


def warn_of_older(connection: Connection) -> None:
    """Say what has changed since the groups were built."""
    from imgsim.reuse import groups

    status = groups.status(connection)
    since = (
        (status.verified_since, "verification"),
        (status.judged_since, "verdict"),
        (status.removed_since, "removed picture"),
    )
    if not status.is_current:
        newer = ", ".join(counted(number, what) for number, what in since if number)
        warn(f"the groups are older than {newer}; build them again with: imgsim group")


def _tell_what_was_passed_over(built: Built) -> None:
    if built.separated:
        verdicts = built.separated_verdicts
        among = f" ({counted(verdicts, 'verdict')} of same block among them)" if verdicts else ""
        say(f"{counted(built.separated, 'link')} passed over, which verdicts forbid{among}")
    if built.loose:
        say(f"{counted(built.loose, 'link')} between groups that are not tight enough together")
    if built.disputed:
        say(
            f"{counted(built.disputed, 'pair')} on which scholars contradict each other: "
            "the evidence decides (imgsim report verdicts --disputed)"
        )
