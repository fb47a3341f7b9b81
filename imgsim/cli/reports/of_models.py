"""`imgsim report overlap`, `agreement` and `recall`: models compared, and the index measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from imgsim.cli.arguments import report_options, two_models_option
from imgsim.cli.place import Place, pass_place
from imgsim.cli.reports.delivery import deliver_report, k_option, models_option, report
from imgsim.settings import NEIGHBOURS
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection, Table


@report.command()
@k_option
@two_models_option
@click.option(
    "--where",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Only these images; repeat to combine with AND. Columns of imgsim.image_ecco, such as "
    "publication_decade=1750 or publication_place=London; also <, <=, >, >=, <>, ~.",
)
@click.option("--by-image", is_flag=True, help="List the shared neighbours, image by image.")
@report_options
@pass_place
def overlap(place: Place, /, **given: Any) -> None:
    """In how many images do two models share k, k-1, … 0 of their k nearest?

    In psql: select * from imgsim.overlap(k => 4);
    """
    from imgsim.networks import models

    k, by_image = given["k"], given["by_image"]

    def title(connection: Connection, answer: Table) -> str:
        a, b = models.chosen_pair(connection, given["model_names"])
        total = len(answer.rows) if by_image else sum(row[1] for row in answer.rows)
        return f"{a.name} and {b.name}: shared of the {k} nearest, {counted(total, 'image')}"

    deliver_report(place, "overlap", given, title=title)


@report.command()
@k_option
@two_models_option
@report_options
@pass_place
def agreement(place: Place, /, **given: Any) -> None:
    """Rank by rank, how often do two models name the same neighbour, and which images to look at?

    In psql: select * from imgsim.agreement(k => 4);
    """
    deliver_report(place, "agreement", given)


@report.command()
@models_option
@click.option("-k", type=click.IntRange(1, 1000), default=NEIGHBOURS, show_default=True)
@click.option("--sample", type=click.IntRange(1, 100_000), default=200, show_default=True)
@report_options
@pass_place
def recall(place: Place, /, **given: Any) -> None:
    """How many of the true k nearest does the index find, and how long does it take?

    In psql: select * from imgsim.recall('resnet18-print');
    """
    deliver_report(place, "recall", given, computes=False)
