"""`imgsim report …`: what the store has to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.arguments import Similarity, two_models_option
from imgsim.cli.groups import warn_of_older
from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import deliver, report_options, say, show_tally, warn, warn_untrained
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.cli.verdicts import tell_unusable
from imgsim.settings import NEIGHBOURS, SHARED, THRESHOLD, UNTRAINED
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection, Table

Command = TypeVar("Command", bound=Callable[..., Any])

k_option = click.option("-k", type=click.IntRange(1, 1000), default=SHARED, show_default=True)
models_option = click.option(
    "--model", "model_names", multiple=True, metavar="NAME", help="[default: all in the store]"
)
model_option = click.option("--model", metavar="NAME", help="[default: resnet50, or what there is]")
threshold_option = click.option(
    "--threshold",
    type=Similarity(0, 1, min_open=True),
    default=THRESHOLD,
    show_default=True,
    help="The least similarity (cosine) of two like pictures.",
)


@click.group()
def report() -> None:
    """Show reports; each is also a view or function in SQL."""


def _deliver(
    place: Place,
    name: str,
    given: dict[str, Any],
    *,
    title: Callable[[Connection, Table], str] = lambda connection, answer: "",
    computes: bool = True,
) -> None:
    """Ask for one report, and print it or write it where the options say."""
    from imgsim import reports

    format_: str | None = given.pop("format_")
    output: Path | None = given.pop("output")
    force: bool = given.pop("force")
    if computes:
        given["on_progress"] = progress_line("comparing by")
    with place.connect() as connection:
        answer = reports.REPORTS[name](connection, **given)
        heading = title(connection, answer)
        _warn_of_untrained(connection, name)
    if output is None and format_ in (None, "table"):
        if heading or not answer.rows:
            say(heading or "nothing to report")
        if not answer.rows:
            return
    deliver(answer, format_, output, force)


def _warn_of_untrained(connection: Connection, name: str) -> None:
    from imgsim.networks import models

    if name in ("coverage", "evidence", "failures", "groups", "recall", "reuse", "verdicts"):
        return
    for model in models.stored(connection):
        if model.weights == UNTRAINED:
            warn_untrained(model.name)


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

    _deliver(place, "overlap", given, title=title)


@report.command()
@k_option
@two_models_option
@report_options
@pass_place
def agreement(place: Place, /, **given: Any) -> None:
    """Rank by rank, how often do two models name the same neighbour, and which images to look at?

    In psql: select * from imgsim.agreement(k => 4);
    """
    _deliver(place, "agreement", given)


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
    _deliver(place, "neighbours", given)


@report.command()
@models_option
@report_options
@pass_place
def threshold(place: Place, /, **given: Any) -> None:
    """What does a threshold mean: how many images have a neighbour, how many pairs are there?

    In psql: select * from imgsim.threshold_counts('resnet50');
    """
    _deliver(place, "threshold", given)


@report.command()
@model_option
@threshold_option
@report_options
@pass_place
def documents(place: Place, /, **given: Any) -> None:
    """Per book, how many illustrations re-appear in another, and from when to when?

    In psql: select * from imgsim.documents('resnet50', 0.94);
    """
    _deliver(place, "documents", given)


@report.command()
@model_option
@threshold_option
@report_options
@pass_place
def decades(place: Place, /, **given: Any) -> None:
    """Per decade, how many illustrations were seen in another book, earlier or later?

    In psql: select * from imgsim.decades('resnet50', 0.94);
    """
    _deliver(place, "decades", given)


@report.command()
@report_options
@pass_place
def coverage(place: Place, /, **given: Any) -> None:
    """How many images have a book in the bibliography, how many books have images?

    In psql: select * from imgsim.coverage;
    """
    _deliver(place, "coverage", given, computes=False)


@report.command()
@report_options
@pass_place
def failures(place: Place, /, **given: Any) -> None:
    """Which files could not be taken in, and why?

    In psql: select * from imgsim.failure;
    """

    def title(connection: Connection, answer: Table) -> str:
        return "" if answer.rows else "no failures: every file was taken in"

    _deliver(place, "failures", given, title=title, computes=False)


@report.command()
@models_option
@click.option("-k", type=click.IntRange(1, 1000), default=NEIGHBOURS, show_default=True)
@click.option("--sample", type=click.IntRange(1, 100_000), default=200, show_default=True)
@report_options
@pass_place
def recall(place: Place, /, **given: Any) -> None:
    """How many of the true k nearest does the index find, and how long does it take?

    In psql: select * from imgsim.recall('resnet50');
    """
    _deliver(place, "recall", given, computes=False)


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
        return "" if answer.rows else "no pair has been verified yet: imgsim verify"

    _deliver(place, "evidence", given, title=title, computes=False)


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
    _deliver(place, "groups", given, title=_of_groups, computes=False)


@report.command()
@click.option("--group", type=click.IntRange(1), metavar="ID", help="Only this one.")
@report_options
@pass_place
def reuse(place: Place, /, **given: Any) -> None:
    """Where, when and in which book does each picture of a group appear?

    In psql: select * from imgsim.reuse_event;
    """
    _deliver(place, "reuse", given, title=_of_groups, computes=False)


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

    _deliver(place, "verdicts", given, title=title, computes=False)


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
@models_option
@report_options
@pass_place
def calibration(place: Place, /, **given: Any) -> int:
    """What does a threshold of each score mean: how many pairs above it are of one block?

    Measured on the pairs that scholars agree on, or on a table of labelled pairs: precision and
    recall with 95 % intervals, for the cosine of each model, its normalised score, and the
    probability that imgsim verify found. Exit code: 3 if rows of the table could not be used.

    In psql: select * from imgsim.calibration();
    """
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
        for sentence in calibration.sentences(answer, precision):
            say(sentence)
        return ""

    _deliver(place, "calibration", given, title=title)
    return SOME_REFUSED if refused else 0
