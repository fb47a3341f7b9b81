"""`imgsim pairs`: every two pictures that are alike enough, stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import Similarity
from imgsim.cli.comparison import device_option, multiplied_on
from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.networks.models import Model

threshold_option = click.option(
    "--threshold",
    type=Similarity(0, 1, min_open=True),
    help="The least similarity.  [default: the model's own]",
)
at_most_option = click.option(
    "--at-most",
    type=click.IntRange(1),
    default=20_000_000,
    show_default=True,
    help="Stop when a model has more pairs than this.",
)


@click.command()
@threshold_option
@click.option("--model", "names", multiple=True, metavar="NAME", help="[default: all in the store]")
@at_most_option
@device_option
@pass_place
def pairs(
    place: Place, threshold: float | None, names: tuple[str, ...], at_most: int, device: str
) -> None:
    """Find and store all pairs of pictures that are alike enough, by each network.

    Pairs that are up to date and complete from that threshold stay. After an ingest
    only the new pictures are compared with all; after an interruption it resumes.

    In psql: select * from imgsim.pair_ecco where similarity >= 0.9;
    """
    from imgsim.networks import models, thresholds

    with place.connect() as connection:
        chosen = models.chosen(connection, names) if names else models.stored(connection)
        filled = fill(connection, chosen, threshold, at_most, device)
        for model in chosen:
            count = filled.get(model.name)
            done = "already up to date" if count is None else f"{counted(count, 'pair')} found"
            say(f"{model.name}: {done} {thresholds.of(model, threshold).told}".rstrip())
    if not chosen:
        onward.then("")
        say("the store is empty; add pictures first: imgsim ingest FOLDER")


def fill(
    connection: Connection,
    chosen: Sequence[Model],
    threshold: float | None,
    at_most: int,
    device: str = "cpu",
) -> dict[str, int]:
    """Brings pairs up to date, with progress."""
    from imgsim.similarity import pairs as stored_pairs

    return stored_pairs.bring_up_to_date(
        connection,
        chosen,
        threshold,
        progress_line("pairs of"),
        at_most,
        multiplied_on(device),
        may_be_old=False,
    )
