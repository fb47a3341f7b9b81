"""`imgsim neighbours`: the nearest of every picture, stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.comparison import device_option, multiplied_on
from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.settings import NEIGHBOURS
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.networks.models import Model


@click.command()
@click.option("-k", type=click.IntRange(1, 1000), default=NEIGHBOURS, show_default=True)
@click.option("--model", "names", multiple=True, metavar="NAME", help="[default: all in the store]")
@click.option(
    "--method",
    type=click.Choice(["exact", "hnsw"]),
    default="exact",
    show_default=True,
    help="exact compares all with all; hnsw asks the index, is faster, and says what it misses.",
)
@device_option
@pass_place
def neighbours(place: Place, k: int, names: tuple[str, ...], method: str, device: str) -> None:
    """Find and store the pictures that are most like each picture, by each network.

    Lists that are up to date and long enough stay. After an ingest only the new
    pictures are compared with all; after an interruption it resumes.
    """
    from imgsim.networks import models
    from imgsim.similarity import stored_lists

    with place.connect() as connection:
        chosen = models.chosen(connection, names) if names else models.stored(connection)
        filled = fill(connection, chosen, k, method, device)
        for model in chosen:
            count = filled.get(model.name)
            done = "already up to date" if count is None else f"{counted(count, 'list')} computed"
            say(
                f"{model.name}: {done}{_found_how(stored_lists.state_of(connection, model).recall)}"
            )
    if not chosen:
        onward.then("")
        say("the store is empty; add pictures first: imgsim ingest FOLDER")


def _found_how(recall: float | None) -> str:
    if recall is None:
        return ""
    return f"; the index finds {recall:.2%} of the true nearest"


def fill(
    connection: Connection,
    chosen: Sequence[Model],
    k: int,
    method: str = "exact",
    device: str = "cpu",
) -> dict[str, int]:
    """Brings neighbour lists up to date, with progress."""
    from imgsim.similarity import neighbours as lists

    return lists.bring_up_to_date(
        connection,
        chosen,
        k,
        progress_line("neighbours of"),
        method,
        multiplied_on(device),
        may_be_old=False,  # here they are the purpose: a reader is refused, not left with old ones
    )
