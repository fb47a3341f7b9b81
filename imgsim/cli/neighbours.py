"""`imgsim neighbours`: the nearest of every picture, stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from imgsim.cli.output import progress_line, say
from imgsim.cli.place import Place, pass_place

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.models import Model


@click.command()
@click.option("-k", type=click.IntRange(1, 1000), default=10, show_default=True)
@click.option("--model", "names", multiple=True, metavar="NAME", help="[default: all in the store]")
@pass_place
def neighbours(place: Place, k: int, names: tuple[str, ...]) -> None:
    """Fill imgsim.neighbour with the k nearest of every picture, exactly, for each model.

    Lists that are up to date and long enough are left as they are.
    """
    from imgsim import models

    with place.connect() as connection:
        chosen = models.chosen(connection, names) if names else models.stored(connection)
        filled = fill(connection, chosen, k)
        for model in chosen:
            images = filled.get(model.name)
            done = "up to date already" if images is None else f"{images:,} lists filled"
            say(f"{model.name}: {done}")
    if not chosen:
        say("the store is empty: take pictures in first with imgsim ingest FOLDER")


def fill(connection: Connection, chosen: Sequence[Model], k: int) -> dict[str, int]:
    """Bring neighbour lists up to date, with progress on a terminal."""
    from imgsim import neighbours as lists

    return lists.bring_up_to_date(connection, chosen, k, progress_line("neighbours of"))
