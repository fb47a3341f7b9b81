"""`imgsim report evidence`, `groups`, `reuse`, `verdicts` and `calibration`: what was re-used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgsim.cli.arguments import Similarity, report_options
from imgsim.cli.groups import warn_of_half, warn_of_older
from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import say, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.cli.reports.delivery import deliver_report, models_option, report
from imgsim.cli.verdicts import tell_unusable
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection, Table


@report.command()
@click.option(
    "--relation",
    type=click.Choice(["same block", "same block in part", "copy", "unrelated", "undecided"]),
    help="Only pairs with this relation.",
)
@report_options
@pass_place
def evidence(place: Place, /, **given: Any) -> None:
    """What has `imgsim verify` found of each pair? The surest come first.

    In psql: select * from imgsim.verification_ecco;
    """

    def title(connection: Connection, answer: Table) -> str:
        if not answer.rows:
            return "no pair has been verified yet: imgsim verify"
        warn_of_half(connection)
        return ""

    deliver_report(place, "evidence", given, title=title, computes=False)


@report.command("groups")
@click.option(
    "--by",
    type=click.Choice(["span", "books", "places", "images"]),
    default="span",
    show_default=True,
    help="What comes first: the longest span of years, or the most of these.",
)
@click.option(
    "--least-books",
    type=click.IntRange(0),
    default=0,
    help="Only groups from at least so many books.",
)
@report_options
@pass_place
def reuse_groups(place: Place, /, **given: Any) -> None:
    """Which pictures were re-used: in how many books, where, from when to when?

    In psql: select * from imgsim.reuse_group;
    """
    deliver_report(place, "groups", given, title=_of_groups, computes=False)


@report.command()
@click.option("--group", type=click.IntRange(1), metavar="ID", help="Only this one.")
@report_options
@pass_place
def reuse(place: Place, /, **given: Any) -> None:
    """Where, when and in which book does each picture of a group appear?

    In psql: select * from imgsim.reuse_event;
    """
    deliver_report(place, "reuse", given, title=_of_groups, computes=False)


def _of_groups(connection: Connection, answer: Table) -> str:
    warn_of_older(connection)
    return ""


@report.command()
@click.option("--disputed", is_flag=True, help="Only pairs on which scholars disagree.")
@report_options
@pass_place
def verdicts(place: Place, /, **given: Any) -> None:
    """What do scholars say of the pairs they have judged? The disputed come first.

    In psql: select * from imgsim.verdict_pair_ecco;
    """

    def title(connection: Connection, answer: Table) -> str:
        if not answer.rows:
            none = "no pair is disputed" if given["disputed"] else "no verdicts yet"
            return f"{none}; to give one: imgsim verdict IMAGE IMAGE VERDICT"
        if changed := sum(row[answer.columns.index("changed_since")] for row in answer.rows):
            pairs = counted(changed, "pair was", "pairs were")
            warn(f"{pairs} judged before one of the files changed")
        return ""

    deliver_report(place, "verdicts", given, title=title, computes=False)


@report.command()
@click.option(
    "--labels",
    type=table_file,
    metavar="FILE",
    help="Labelled pairs: image, other, same (yes or no, or a verdict).  [default: the verdicts]",
)
@click.option(
    "--precision",
    type=Similarity(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="The precision that a proposed threshold must reach.",
)
@click.option(
    "--step",
    type=Similarity(0.0001, 1),
    default=0.01,
    show_default=True,
    help="The step from one threshold to the next.",
)
@click.option(
    "--keep",
    is_flag=True,
    help="Make each proposed threshold of a model's cosine its own, for all commands.",
)
@models_option
@report_options
@pass_place
def calibration(place: Place, /, keep: bool, **given: Any) -> int:
    """What does a threshold of each score mean: how many pairs above it are of one block?

    Measured on the pairs that scholars agree on, or on a table of labelled pairs: precision and
    recall with 95 % intervals, for the cosine of each model, its normalised score, and the
    probability that imgsim verify found. Exit code: 3 if rows of the table could not be used.

    In psql: select * from imgsim.calibration();
    """
    from imgsim.networks import models
    from imgsim.reuse import calibration

    file: Path | None = given["labels"]
    precision: float = given["precision"]
    refused = 0
    if file is not None:
        with place.connect() as connection:
            labels = calibration.read_labels(connection, file)
        given["labels"] = labels
        refused = labels.refused
        tell_unusable(labels.pairs)
        show_tally(labels.repeated)
        for tally in labels.tallies:
            show_tally(tally, loud=True)

    def title(connection: Connection, answer: Table) -> str:
        for caution in calibration.cautions(answer):
            warn(caution)
        names = given["model_names"]
        chosen = models.chosen(connection, names) if names else models.stored(connection)
        for sentence in calibration.sentences(answer, chosen, precision):
            say(sentence)
        if keep:
            source = f"labelled pairs of {file.name}" if file else "verdicts"
            for sentence in calibration.keep(connection, answer, chosen, precision, source):
                say(sentence)
        return ""

    deliver_report(place, "calibration", given, title=title)
    return SOME_REFUSED if refused else 0
