"""`imgsim report …`: what the store has to say."""

from __future__ import annotations

import click

from imgsim.cli.neighbours import fill
from imgsim.cli.output import format_option, say, show, warn
from imgsim.cli.place import Place, pass_place
from imgsim.settings import UNTRAINED


@click.group()
def report() -> None:
    """Reports; each is a view or function in SQL as well."""


@report.command()
@click.option("-k", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--model", "names", nargs=2, default=("resnet18", "resnet50"), show_default=True)
@format_option
@pass_place
def overlap(place: Place, k: int, names: tuple[str, str], format_: str) -> None:
    """In how many images do two models share k, k-1, … 0 of their k nearest?

    In psql: select * from imgsim.overlap(k => 4);
    """
    from imgsim import models, reports

    with place.connect() as connection:
        chosen = [models.named(connection, name) for name in names]
        for model in chosen:
            if model.weights == UNTRAINED:
                warn(f"{model.name} is untrained: its neighbours mean nothing")
        fill(connection, chosen, k)
        answer = reports.overlap(connection, k, *names)
    if format_ == "table":
        total = sum(row[1] for row in answer.rows)
        say(f"{names[0]} and {names[1]}: how many of the {k} nearest they share, {total:,} images")
    show(answer, format_)


@report.command()
@format_option
@pass_place
def failures(place: Place, format_: str) -> None:
    """Which files could not be taken in, and why?

    In psql: select * from imgsim.failure;
    """
    from imgsim import reports

    with place.connect() as connection:
        answer = reports.failures(connection)
    if not answer.rows and format_ == "table":
        say("no failures: every file went in")
    else:
        show(answer, format_)
