"""`imgsim report neighbours`, `threshold`, `documents` and `decades`: which pictures are alike."""

from __future__ import annotations

from typing import Any

import click

from imgsim.cli.arguments import Similarity, report_options
from imgsim.cli.place import Place, pass_place
from imgsim.cli.reports.delivery import (
    deliver_report,
    model_option,
    models_option,
    report,
    threshold_option,
)


@report.command()
@model_option
@click.option("-k", type=click.IntRange(1, 1000), help="[default: 10, or all with --threshold]")
@click.option(
    "--threshold",
    type=Similarity(0, 1, min_open=True),
    help="All neighbours at or above this similarity.",
)
@click.option("--other-documents-only", is_flag=True, help="Only neighbours in another book.")
@click.option(
    "--other-works-only",
    is_flag=True,
    help="Only neighbours in another work, not in another edition.",
)
@click.option("--earlier-only", is_flag=True, help="Only neighbours in earlier books.")
@click.option(
    "--exact",
    is_flag=True,
    help="With filters: compare all pictures instead of using the index.",
)
@report_options
@pass_place
def neighbours(place: Place, /, **given: Any) -> None:
    """The nearest of every picture, both sides joined with their books.

    Filters are applied inside the search. In psql: select * from imgsim.neighbours(k => 4);
    """
    deliver_report(place, "neighbours", given)


@report.command()
@models_option
@report_options
@pass_place
def threshold(place: Place, /, **given: Any) -> None:
    """What does a threshold mean: how many images have a neighbour, how many pairs are there?

    In psql: select * from imgsim.threshold_counts('resnet18-print');
    """
    deliver_report(place, "threshold", given)


@report.command()
@model_option
@threshold_option
@report_options
@pass_place
def documents(place: Place, /, **given: Any) -> None:
    """Per book, how many illustrations re-appear in another, and from when to when?

    In psql: select * from imgsim.documents('resnet18-print');
    """
    deliver_report(place, "documents", given)


@report.command()
@model_option
@threshold_option
@report_options
@pass_place
def decades(place: Place, /, **given: Any) -> None:
    """Per decade, how many illustrations were seen in another book, earlier or later?

    In psql: select * from imgsim.decades('resnet18-print');
    """
    deliver_report(place, "decades", given)
