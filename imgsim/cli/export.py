"""`imgsim export …`: tables, graphs and vectors for other programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.arguments import FilePath, Similarity, spreadsheet_safe_option
from imgsim.cli.groups import warn_of_older
from imgsim.cli.helping import Commands
from imgsim.cli.neighbours import fill as fill_neighbours
from imgsim.cli.output import say, warn
from imgsim.cli.pairs import at_most_option, threshold_option
from imgsim.cli.pairs import fill as fill_pairs
from imgsim.cli.place import Place, pass_place
from imgsim.formats import ARRAYS, GRAPHS, TABLES, WITHOUT_PARTNER
from imgsim.settings import NEIGHBOURS, UNTRAINED

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.export import Outcome, Target
    from imgsim.export.joined import Joined
    from imgsim.networks.models import Model
    from imgsim.networks.thresholds import Threshold

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(cls=Commands)
def export() -> None:
    """Write what is stored into files for other programs, with a datapackage.json beside them.

    Text identifiers stay text. In spreadsheets import the CSV with those columns as text, or
    leading zeros are lost there.
    """


def output_options(formats: tuple[str, ...]) -> Callable[[Command], Command]:
    """The options that say where to and how, as `_target` takes them."""

    def decorate(command: Command) -> Command:
        for option in (
            click.option("--force", is_flag=True, help="Write over files that are there."),
            click.option("--bom", is_flag=True, help="Begin CSV so that Excel reads it as UTF-8."),
            spreadsheet_safe_option,
            click.option(
                "-o",
                "--output",
                required=True,
                type=FilePath(),
                metavar="FOLDER|FILE",
                help="A folder (made if its parent is there), or a file whose ending is a format.",
            ),
            click.option(
                "--format",
                "format_",
                type=click.Choice(formats),
                help=f"[default: {formats[0]}, or what the file's ending says]",
            ),
        ):
            command = option(command)
        return command

    return decorate


model_option = click.option(
    "--model", "name", metavar="NAME", help="[default: resnet18-print, or what there is]"
)
other_documents_option = click.option(
    "--other-documents-only", is_flag=True, help="Leave out likeness within one book."
)


@export.command()
@model_option
@click.option("-k", type=click.IntRange(1, 1000), default=NEIGHBOURS, show_default=True)
@click.option("--threshold", type=Similarity(0, 1), help="The least similarity.")
@other_documents_option
@output_options(TABLES + GRAPHS)
@pass_place
def neighbours(
    place: Place,
    /,
    name: str | None,
    k: int,
    threshold: float | None,
    other_documents_only: bool,
    **output: Any,
) -> None:
    """The k nearest of every picture, with the books on both sides.

    In psql: select * from imgsim.neighbour_ecco;
    """
    from imgsim import export as exports
    from imgsim.export import of_likeness

    target = _target("neighbours", TABLES + GRAPHS, **output)
    with place.connect() as connection:
        model = _model(connection, name)
        if not other_documents_only:
            fill_neighbours(connection, [model], k)
        with exports.one_moment(connection):
            joined = of_likeness.neighbour_lists(
                connection, model, k, threshold, other_documents_only
            )
            options = {
                "k": k,
                "threshold": threshold,
                "other_documents_only": other_documents_only,
            }
            outcome = exports.write(connection, joined, target, model, options)
    _report(joined.title, outcome)


@export.command()
@model_option
@threshold_option
@other_documents_option
@at_most_option
@output_options(TABLES + GRAPHS)
@pass_place
def pairs(
    place: Place,
    /,
    name: str | None,
    threshold: float | None,
    other_documents_only: bool,
    at_most: int,
    **output: Any,
) -> None:
    """Every two pictures at or above a threshold, with the books on both sides.

    In psql: select * from imgsim.pair_ecco where similarity >= 0.9;
    """
    from imgsim import export as exports
    from imgsim.export import of_likeness
    from imgsim.networks import thresholds

    target = _target("pairs", TABLES + GRAPHS, **output)
    with place.connect() as connection:
        model = _model(connection, name)
        least = thresholds.of(model, threshold)
        fill_pairs(connection, [model], least.value, at_most)
        with exports.one_moment(connection):
            joined = of_likeness.like_pairs(connection, model, threshold, other_documents_only)
            options = _told(least) | {"other_documents_only": other_documents_only}
            outcome = exports.write(connection, joined, target, model, options)
    _report(joined.title, outcome)


@export.command("groups-of-books")
@model_option
@threshold_option
@at_most_option
@output_options(TABLES + GRAPHS)
@pass_place
def groups_of_books(
    place: Place, /, name: str | None, threshold: float | None, at_most: int, **output: Any
) -> None:
    """Books that share pictures, and how many: the weight of an edge in the graph formats.

    In psql: select * from imgsim.book_graph('resnet18-print');
    """
    from imgsim import export as exports
    from imgsim.export import of_likeness
    from imgsim.networks import thresholds

    target = _target("groups-of-books", TABLES + GRAPHS, **output)
    with place.connect() as connection:
        model = _model(connection, name)
        least = thresholds.of(model, threshold)
        fill_pairs(connection, [model], least.value, at_most)
        with exports.one_moment(connection):
            joined = of_likeness.books_sharing(connection, model, threshold)
            outcome = exports.write(connection, joined, target, model, _told(least))
    _report(joined.title, outcome)


@export.command("groups")
@output_options(TABLES + GRAPHS)
@pass_place
def reuse_groups(place: Place, /, **output: Any) -> None:
    """Groups of re-use, with years, books and places; as a graph, their pictures and links.

    In psql: select * from imgsim.reuse_group;
    """
    from imgsim.export import of_groups

    _export_groups(place, "groups", of_groups.reuse_groups, output)


@export.command("group-members")
@output_options(TABLES + GRAPHS)
@pass_place
def group_members(place: Place, /, **output: Any) -> None:
    """The pictures of the groups, each with its book; as a graph, linked by their probability.

    In psql: select * from imgsim.reuse_event;
    """
    from imgsim.export import of_groups

    _export_groups(place, "group-members", of_groups.reuse_events, output)


@export.command("group-books")
@output_options(TABLES + GRAPHS)
@pass_place
def group_books(place: Place, /, **output: Any) -> None:
    """Books that share re-used pictures: the weight of an edge is the number of shared groups.

    In psql: select * from imgsim.reuse_document;
    """
    from imgsim.export import of_groups

    _export_groups(place, "group-books", of_groups.books_of_groups, output)


@export.command()
@output_options(TABLES)
@pass_place
def images(place: Place, /, **output: Any) -> None:
    """Every picture with its book.

    In psql: select * from imgsim.image_ecco;
    """
    from imgsim.export import joined

    _export_all(place, "images", joined.all_images, output)


@export.command()
@output_options(TABLES)
@pass_place
def documents(place: Place, /, **output: Any) -> None:
    """Every book of the bibliography, with the number of its pictures.

    In psql: select * from imgsim.document_ecco;
    """
    from imgsim.export import joined

    _export_all(place, "documents", joined.all_documents, output)


@export.command()
@output_options(TABLES)
@pass_place
def verdicts(place: Place, /, **output: Any) -> None:
    """Every verdict that scholars have given, in the columns that `imgsim verdict --load` reads.

    In psql: select * from imgsim.verdict_ecco;
    """
    from imgsim.export import of_verdicts

    _export_all(place, "verdicts", of_verdicts.all_verdicts, output)


@export.command()
@model_option
@output_options(ARRAYS)
@pass_place
def embeddings(place: Place, /, name: str | None, **output: Any) -> None:
    """The vectors of a model: Parquet with ids, or a NumPy array with the ids in a CSV beside it.

    They are of unit length, as stored (half precision), written in single precision.
    """
    from imgsim import export as exports
    from imgsim.export import joined

    target = _target("embeddings", ARRAYS, **output)
    with place.connect() as connection:
        model = _model(connection, name)
        with exports.one_moment(connection):
            rows = joined.all_embeddings(connection, model)
            outcome = exports.write(connection, rows, target, model)
    _report(rows.title, outcome)


def _export_all(
    place: Place, stem: str, joined: Callable[[Connection], Joined], output: dict[str, Any]
) -> None:
    """Exports all there is of something, computing nothing."""
    from imgsim import export as exports

    target = _target(stem, TABLES, **output)
    with place.connect() as connection, exports.one_moment(connection):
        rows = joined(connection)
        outcome = exports.write(connection, rows, target)
    _report(rows.title, outcome)


def _export_groups(
    place: Place, stem: str, joined: Callable[[Connection], Joined], output: dict[str, Any]
) -> None:
    """Exports something of the groups of re-use, with how they were built."""
    from imgsim import export as exports
    from imgsim.reuse import groups

    target = _target(stem, TABLES + GRAPHS, **output)
    with place.connect() as connection:
        with exports.one_moment(connection):
            status = groups.status(connection)
            rows = joined(connection)
            options = {name: getattr(status, name) for name in ("least", "tightness", "parts")}
            options["grouped_at"] = status.at
            outcome = exports.write(connection, rows, target, options=options)
        _report(rows.title, outcome)
        warn_of_older(connection)


def _target(
    stem: str,
    formats: tuple[str, ...],
    *,
    format_: str | None,
    output: Path,
    bom: bool,
    spreadsheet_safe: bool,
    force: bool,
) -> Target:
    """Returns where to write, seen to before anything is computed."""
    from imgsim import export as exports
    from imgsim.formats.writing import ForSpreadsheets

    look = ForSpreadsheets(bom, spreadsheet_safe)
    return exports.target(stem, output, format_, formats, force, look)


def _model(connection: Connection, name: str | None) -> Model:
    from imgsim.networks import models

    (model,) = models.chosen(connection, [name] if name else [])
    if model.weights == UNTRAINED:
        warn(f"{model.name} is untrained: its similarities mean nothing")
    return model


def _told(threshold: Threshold) -> dict[str, object]:
    """Returns what the description of a file says of a threshold."""
    return {"threshold": threshold.value, "threshold_from": threshold.own or None}


def _report(title: str, outcome: Outcome) -> None:
    say(title)
    for step in outcome.steps:
        say(f"  {step.rows:>11,}  {step.what}")
    for step in outcome.written:
        say(f"  {step.rows:>11,}  rows written, {step.what}")
    if outcome.without_partner:
        shown = ", ".join(outcome.examples)
        more = ", …" if outcome.without_partner > len(outcome.examples) else ""
        listed = next(f.name for f in outcome.files if f.name.endswith(WITHOUT_PARTNER))
        warn(f"{outcome.without_partner:,} found no partner: {shown}{more} ({listed})")
    for file in outcome.files:
        click.echo(file)
