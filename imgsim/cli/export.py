"""`imgsim export …`: tables, graphs and vectors for other programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.arguments import FilePath, Similarity, spreadsheet_safe_option
from imgsim.cli.groups import warn_of_older
from imgsim.cli.helping import Commands
from imgsim.cli.output import say, warn, warn_untrained
from imgsim.cli.pairs import at_most_option, threshold_option
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.formats import ARRAYS, GRAPHS, TABLES, WITHOUT_PARTNER
from imgsim.settings import NEIGHBOURS, UNTRAINED

if TYPE_CHECKING:
    from imgsim.export import Outcome

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
    "--model", "model", metavar="NAME", help="[default: resnet18-print, or what there is]"
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
def neighbours(place: Place, /, **given: Any) -> None:
    """The k nearest of every picture, with the books on both sides.

    In psql: select * from imgsim.neighbour_ecco;
    """
    _export(place, "neighbours", given)


@export.command()
@model_option
@threshold_option
@other_documents_option
@at_most_option
@output_options(TABLES + GRAPHS)
@pass_place
def pairs(place: Place, /, **given: Any) -> None:
    """Every two pictures at or above a threshold, with the books on both sides.

    In psql: select * from imgsim.pair_ecco where similarity >= 0.9;
    """
    _export(place, "pairs", given)


@export.command("groups-of-books")
@model_option
@threshold_option
@at_most_option
@output_options(TABLES + GRAPHS)
@pass_place
def groups_of_books(place: Place, /, **given: Any) -> None:
    """Books that share pictures, and how many: the weight of an edge in the graph formats.

    In psql: select * from imgsim.book_graph('resnet18-print');
    """
    _export(place, "groups-of-books", given)


@export.command("groups")
@output_options(TABLES + GRAPHS)
@pass_place
def reuse_groups(place: Place, /, **given: Any) -> None:
    """Groups of re-use, with years, books and places; as a graph, their pictures and links.

    In psql: select * from imgsim.reuse_group;
    """
    _export(place, "groups", given)


@export.command("group-members")
@output_options(TABLES + GRAPHS)
@pass_place
def group_members(place: Place, /, **given: Any) -> None:
    """The pictures of the groups, each with its book; as a graph, linked by their probability.

    In psql: select * from imgsim.reuse_event;
    """
    _export(place, "group-members", given)


@export.command("group-books")
@output_options(TABLES + GRAPHS)
@pass_place
def group_books(place: Place, /, **given: Any) -> None:
    """Books that share re-used pictures: the weight of an edge is the number of shared groups.

    In psql: select * from imgsim.reuse_document;
    """
    _export(place, "group-books", given)


@export.command()
@output_options(TABLES)
@pass_place
def images(place: Place, /, **given: Any) -> None:
    """Every picture with its book.

    In psql: select * from imgsim.image_ecco;
    """
    _export(place, "images", given)


@export.command()
@output_options(TABLES)
@pass_place
def documents(place: Place, /, **given: Any) -> None:
    """Every book of the bibliography, with the number of its pictures.

    In psql: select * from imgsim.document_ecco;
    """
    _export(place, "documents", given)


@export.command()
@output_options(TABLES)
@pass_place
def verdicts(place: Place, /, **given: Any) -> None:
    """Every verdict that scholars have given, in the columns that `imgsim verdict --load` reads.

    In psql: select * from imgsim.verdict_ecco;
    """
    _export(place, "verdicts", given)


@export.command()
@model_option
@output_options(ARRAYS)
@pass_place
def embeddings(place: Place, /, **given: Any) -> None:
    """The vectors of a model: Parquet with ids, or a NumPy array with the ids in a CSV beside it.

    They are of unit length, as stored (half precision), written in single precision.
    """
    _export(place, "embeddings", given)


OUTPUT = ("format_", "output", "bom", "spreadsheet_safe", "force")


def _export(place: Place, name: str, given: dict[str, Any]) -> None:
    """Writes one export where the options say, and tells what was written."""
    from imgsim.export import kinds

    kind = kinds.EXPORTS[name]
    where = kinds.target(name, **{option: given.pop(option) for option in OUTPUT})
    if "threshold" in given or "k" in given:
        given["on_progress"] = progress_line("comparing by")
    with place.connect() as connection:
        exported = kinds.write(connection, name, where, **given)
        if exported.model and exported.model.weights == UNTRAINED:
            warn_untrained(exported.model.name)
        _report(exported.title, exported.outcome)
        if kind.of_groups:
            warn_of_older(connection)


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
