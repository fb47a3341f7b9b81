"""`imgsim metadata …`: the books the pictures come from, and which picture is in which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import FilePath
from imgsim.cli.helping import Commands
from imgsim.cli.output import say, say_count, show, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.bibliography.linking import Called, Linked
    from imgsim.bibliography.metadata import Loaded
    from imgsim.database.connection import Connection
    from imgsim.formats.reading import TableFile

SOME_REFUSED = 3

table_file = FilePath()


def reading_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds the options that tell how a table is to be read."""
    missing = click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="A further spelling of a missing value, such as - or unknown; may be repeated.",
    )
    sheet = click.option("--sheet", metavar="NAME", help="The sheet of an Excel workbook.")
    return missing(sheet(command))


@click.group(cls=Commands)
def metadata() -> None:
    """Read in titles, years and places of books, and which picture is in which book."""


@metadata.command()
@click.argument("files", nargs=-1, required=True, type=table_file, metavar="FILE…")
@reading_options
@pass_place
def load(place: Place, files: tuple[Path, ...], missing: tuple[str, ...], sheet: str | None) -> int:
    """Read the ECCO metadata of books from a table; loading again updates them.

    Tables: CSV, TSV, Parquet, Excel (.xlsx), JSON. The column ecco_id is required. Headings with a
    plain meaning are taken (title, year, place, author, …); other columns are kept in
    imgsim.ecco_document.extra. Exit code: 3 if rows could not be used or there were none.
    """
    from imgsim.bibliography import metadata
    from imgsim.collection import called

    refused = 0
    with place.connect() as connection:
        for file in files:
            loaded = metadata.load(connection, file, missing=missing, sheet=sheet)
            _report(loaded)
            refused += loaded.refused + loaded.file.is_blank
        _show_coverage(connection)
        unnamed = called.without_book(connection)
        if unnamed is None:
            onward.then("metadata load, no pictures")
        elif unnamed:
            onward.then("metadata load, pictures without a book")
    return SOME_REFUSED if refused else 0


def _report(loaded: Loaded) -> None:
    found = loaded.findings
    say(f"{loaded.file.path} ({loaded.file.kind})")
    say_count(loaded.new, "book new", "books new")
    say_count(loaded.updated, "book updated", "books updated")
    if loaded.merged:
        repeats = (
            "row that repeats a book, merged with it",
            "rows that repeat a book, merged with it",
        )
        say_count(loaded.merged, *repeats)
    _report_columns(loaded)
    show_tally(found.padded)
    show_tally(found.shortened)
    show_tally(found.inexact)
    show_reading(loaded.file)
    show_tally(found.unknown_estc, loud=True)
    show_tally(found.unread, loud=True)
    show_tally(loaded.spared, loud=True)
    show_tally(loaded.blanked, loud=True)
    show_tally(loaded.conflicts, loud=True, few=len(loaded.conflicts.examples))
    show_tally(found.unusable, loud=True)
    show_tally(found.ragged, loud=True)


def _report_columns(loaded: Loaded) -> None:
    """Says which columns were understood, which were only kept, and which stay empty."""
    columns = loaded.columns
    if columns.renamed:
        taken = ", ".join(f"{heading} as {column}" for heading, column in columns.renamed.items())
        say(f"columns taken: {taken}")
    if columns.further:
        say(f"columns kept in extra: {', '.join(columns.further)}")
    if columns.lacking:
        say(f"the file has no column for: {', '.join(columns.lacking)}")


def show_reading(file: TableFile) -> None:
    """Says what was unusual in a file, once its rows have been read."""
    for note in file.notes:
        warn(note)
    if file.missing:
        count = sum(file.missing.values())
        missing = f"read as missing: {', '.join(sorted(file.missing))}"
        say_count(count, f"cell {missing}", f"cells {missing}")
    if file.is_blank:
        warn(f"{file.path} has a header and no rows")


@metadata.command()
@click.argument("file", type=table_file)
@click.option("--file-column", metavar="COLUMN", help="Names the picture's file.")
@click.option("--ecco-id-column", metavar="COLUMN", help="Has the ECCO id of its book.")
@click.option("--page-column", metavar="COLUMN", help="Holds the page's number.")
@click.option("--illustration-column", metavar="COLUMN", help="Holds the illustration's number.")
@reading_options
@pass_place
def link(
    place: Place,
    file: Path,
    file_column: str | None,
    ecco_id_column: str | None,
    page_column: str | None,
    illustration_column: str | None,
    missing: tuple[str, ...],
    sheet: str | None,
) -> int:
    """Link stored pictures to their books by a table, where file names do not tell.

    The columns are found by their headings (file, path, image; ecco_id, document; page), or named.
    A picture is named by its path, the end of its path (folder/name.jpg, name.jpg), or that
    without the ending. Rows that fit several files link none. Exit code: 3 if rows that name a
    picture could not be used, or no row names one.
    """
    from imgsim.bibliography import linking
    from imgsim.bibliography.link_columns import LinkColumns

    columns = LinkColumns(file_column, ecco_id_column, page_column, illustration_column)
    with place.connect() as connection:
        linked = linking.link(connection, file, columns, missing=missing, sheet=sheet)
        _report_links(linked)
        if linked.joins_nothing and not linked.file.is_blank:
            _show_names(linking.called(connection, linked))
        _show_coverage(connection)
    if linked.joins_nothing:
        onward.then("")
    return SOME_REFUSED if linked.refused or linked.joins_nothing else 0


def _report_links(linked: Linked) -> None:
    say(f"{linked.file.path} ({linked.file.kind}), {counted(linked.rows, 'row')}")
    say(f"columns taken: {linked.columns}")
    say_count(linked.changed, "image linked", "images linked")
    say_count(linked.unchanged, "image linked so already", "images linked so already")
    show_tally(linked.padded)
    show_reading(linked.file)
    for tally in (
        *(linked.unmatched, linked.unread, linked.ambiguous),
        *(linked.conflicts, linked.unusable, linked.ragged),
    ):
        show_tally(tally, loud=True)


def _show_names(called: Called) -> None:
    """Says what stored pictures are called, if a table names none of them."""
    if not called.examples:
        warn("no picture is stored yet; next: imgsim ingest FOLDER")
        return
    warn("no row names a stored picture; stored pictures are called, for example:")
    for path in called.examples:
        say(f"{'':>10}{path}")
    for value, path in called.nearest:
        say(f"{'':>10}nearest to {value}: {path}")
    say("next: change the names in the table, or choose another --file-column")


def _show_coverage(connection: Connection) -> None:
    from imgsim.bibliography import metadata

    show(metadata.coverage(connection), "table")
