"""What commands print: answers on standard output, everything else on standard error."""

from __future__ import annotations

import csv
import datetime
import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.arguments import FORMATS
from imgsim.cli.wrapping import wrapped
from imgsim.errors import ImgsimError
from imgsim.formats.columns import as_text, harmless
from imgsim.wording import counted, figure, noun, score_text

if TYPE_CHECKING:
    from imgsim.database.connection import Table
    from imgsim.formats.tallies import Tally

Command = TypeVar("Command", bound=Callable[..., Any])

ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".parquet": "parquet",
    ".txt": "table",
}
WIDE = 10_000
LONG_TEXT = frozenset(
    {"ecco_full_title", "other_ecco_full_title", "book", "path", "reason", "what", "source"}
    | {"first_title", "last_title", "threshold_from"}
)
OPTIONAL = frozenset(
    {"publication_year", "ecco_full_title", "ecco_id", "page_number", "publication_place"}
    | {"normalised", "printer", "edition"}
)
"""Left out of a printed table where no picture has one."""

FEW = 3
"""How many examples are shown of what was met in a table."""

SHORTENED, COLUMN_GAP = 24, 3
HEADINGS = {
    "ecco_full_title": "title",
    "other_ecco_full_title": "other title",
    "publication_year": "year",
    "other_publication_year": "other year",
    "publication_place": "place",
    "other_publication_place": "other place",
    "page_number": "page",
    "other_page_number": "other page",
    "illustrations": "pictures",
    "reappearing": "again",
    "first_elsewhere": "from",
    "last_elsewhere": "to",
    "first_year": "from",
    "last_year": "to",
}


def printable(text: str) -> str:
    """Returns text with its control characters written out: a file's name may hold any."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(text: str = "") -> None:
    """Says a line to the reader, on standard error, so that it never gets into a pipe."""
    click.echo("\n".join(map(printable, text.split("\n"))), err=True)


def _label(text: str, colour: str) -> None:
    # https://no-color.org: set to anything but nothing.
    plain = bool(os.environ.get("NO_COLOR"))
    click.secho(text, fg=colour, bold=True, nl=False, err=True, color=False if plain else None)


def complain(message: str, hint: str = "") -> None:
    """Says what went wrong, and what to do about it."""
    _label("error: ", "red")
    say(wrapped(printable(message), len("error: "), sys.stderr))
    if hint:
        say(f"  next: {wrapped(hint, len('  next: '), sys.stderr)}")


def warn(message: str) -> None:
    """Says what the reader must know to read the answer rightly."""
    _label("note: ", "yellow")
    say(wrapped(printable(message), len("note: "), sys.stderr))


def warn_untrained(model: str) -> None:
    """Warns that a model's similarities have no meaning."""
    warn(f"{model} is untrained: its similarities are meaningless, for trying things out only")


def show_log() -> None:
    """Shows what the package logs (whom it waits for, say) as notes; once for a process."""
    import logging

    class Notes(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warn(record.getMessage())

    logger = logging.getLogger("imgsim")
    if not logger.handlers:
        logger.addHandler(Notes())


def say_count(number: int, one: str, many: str = "") -> None:
    """Says how many there are of something, with the numbers of several lines aligned."""
    say(f"{number:>9,} {noun(number, one, many)}")


def show_tally(tally: Tally, *, loud: bool = False, few: int = FEW) -> None:
    """Says how often something was met, with a few examples; says nothing if it never was."""
    if not tally.count:
        return
    if loud:
        warn(f"{tally}:")
    else:
        say(f"{tally.count:>9,} {noun(tally.count, tally.of)} {tally.what}:")
    for example in tally.examples[:few]:
        say(f"{'':>10}{example}")
    if tally.count > few:
        say(f"{'':>10}… and {tally.count - few:,} more")


def confirm(question: str) -> None:
    """Asks before something that cannot be undone.

    Raises:
        ImgsimError: there is nobody to ask.
        click.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise ImgsimError(f"{question} cannot ask: there is no terminal", "give --yes")
    click.confirm(question, abort=True, err=True)


def show(table: Table, format_: str, spreadsheet_safe: bool = False) -> None:
    """Prints an answer in one of `FORMATS` but Parquet."""
    if format_ == "table":
        show_table(table.columns, table.rows)
    else:
        sys.stdout.write(written(table, format_, spreadsheet_safe))


def show_listed(table: Table, none: str, format_: str, spreadsheet_safe: bool = False) -> None:
    """Prints a list in one of `FORMATS`; to a reader, says what to do where there is nothing."""
    if not table.rows and format_ == "table":
        say(none)
    else:
        show(table, format_, spreadsheet_safe)


def deliver(
    table: Table,
    format_: str | None,
    output: Path | None,
    force: bool,
    spreadsheet_safe: bool = False,
) -> None:
    """Prints an answer, or writes it whole into a file.

    Raises:
        ImgsimError: the file exists already or cannot be written, or the format needs a file.
    """
    if output is None:
        if format_ == "parquet":
            raise ImgsimError("cannot print Parquet: it needs a file", "give --output FILE.parquet")
        show(table, format_ or "table", spreadsheet_safe)
        return
    from imgsim.formats.unfinished import refuse_existing, unfinished

    chosen = format_ or ENDINGS.get(output.suffix.lower())
    if chosen is None:
        raise ImgsimError(
            f"cannot tell the format from the ending of {output.name}",
            f"give --format {'|'.join(FORMATS)}",
        )
    refuse_existing(output.parent, [output.name], force)
    with unfinished(output.parent) as scratch:
        temporary = scratch / output.name
        if chosen == "parquet":
            figures = replace(table, rows=[tuple(map(_rounded, row)) for row in table.rows])
            figures.frame().to_parquet(temporary, index=False)
        else:
            temporary.write_text(written(table, chosen, spreadsheet_safe), "utf-8", newline="")
    say(f"wrote {counted(len(table.rows), 'row')} to {output}")


def written(table: Table, format_: str, spreadsheet_safe: bool = False) -> str:
    """Returns an answer as the text of a CSV, JSON or Markdown file, or as a plain table."""
    if format_ == "csv":
        return _csv(table, spreadsheet_safe)
    if format_ == "json":
        records = [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows]
        return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
    if format_ == "markdown":
        return _markdown(table)
    text = io.StringIO()
    _print_table(text, table.columns, table.rows, "")
    return text.getvalue()


def _csv(table: Table, spreadsheet_safe: bool) -> str:
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in (table.columns, *(map(_cell, row) for row in table.rows)):
        cells = [harmless(cell) if spreadsheet_safe else cell for cell in row]
        # Where lines end with \n, Python before 3.13 leaves a \r bare, and readers end a row there.
        bare = any(isinstance(cell, str) and "\r" in cell for cell in cells)
        (quoted if bare else plain).writerow(cells)
    return text.getvalue()


def _markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rows = (line(map(_readable, row)) for row in table.rows)
    return line(table.columns) + line("---" for _ in table.columns) + "".join(rows)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Prints a table for reading: as wide as the terminal, or as it needs to be in a file."""
    _print_table(sys.stdout, columns, rows, title)


def _print_table(
    stream: IO[str], columns: Sequence[str], rows: Sequence[Sequence[object]], title: str
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    console = Console(file=stream, width=_width(stream), highlight=False)
    kept = [i for i, c in enumerate(columns) if c not in OPTIONAL or _tells(rows, i)]
    columns = [columns[i] for i in kept]
    rows = [[row[i] for i in kept] for row in rows]
    cells = [[_readable(value) for value in row] for row in rows]
    widths = [_widths(c, [row[i] for row in cells]) for i, c in enumerate(columns)]
    fitted = _fitted(widths, console.width)
    shown = len(fitted)
    drawn = RichTable(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False
    )
    for index, column in enumerate(columns[:shown]):
        numbers = all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        drawn.add_column(
            HEADINGS.get(column, column.replace("_", " ")),
            justify="right" if numbers and rows else "left",
            no_wrap=True,
            overflow="ellipsis",
            width=fitted[index],
        )
    for row in cells:
        # As Text: a title in square brackets would be read as rich's markup.
        drawn.add_row(*(Text(cell) for cell in row[:shown]))
    console.print(drawn)
    if shown < len(columns):
        left_out = ", ".join(column.replace("_", " ") for column in columns[shown:])
        console.print(
            f"(not shown, for lack of width: {left_out}; --format csv shows all)", style="dim"
        )


def _width(stream: IO[str]) -> int | None:
    """Returns how wide a table may be: None for as wide as the terminal is."""
    # In a file there is room; a shell exports COLUMNS only if somebody asks it to.
    asked = os.environ.get("COLUMNS", "")
    in_a_file = int(asked) if asked.isdecimal() and int(asked) > 0 else WIDE
    return None if stream.isatty() else in_a_file


def _tells(rows: Sequence[Sequence[object]], index: int) -> bool:
    return not rows or any(row[index] is not None for row in rows)


def _widths(column: str, cells: Sequence[str]) -> tuple[int, int]:
    """Returns the least and the full width of a column: only long text may be shortened."""
    heading = len(HEADINGS.get(column, column))
    full = max([heading, *map(len, cells)])
    return (max(heading, min(full, SHORTENED)) if column in LONG_TEXT else full), full


def _fitted(widths: Sequence[tuple[int, int]], console: int) -> list[int]:
    """Returns the widths of the columns that can be shown, from the first.

    Long text is shortened first, then the last columns are dropped; two are always shown.
    """
    room = console - 2
    kept = len(widths)
    while kept > 2 and sum(least + COLUMN_GAP for least, _ in widths[:kept]) - COLUMN_GAP > room:
        kept -= 1
    fitted = [full for _, full in widths[:kept]]
    excess = sum(width + COLUMN_GAP for width in fitted) - COLUMN_GAP - room
    # The widest first: it loses the smallest share of itself.
    for index, (least, full) in sorted(enumerate(widths[:kept]), key=lambda item: -item[1][1]):
        given = min(max(excess, 0), full - least)
        fitted[index] -= given
        excess -= given
    return fitted


def _readable(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return score_text(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return printable(str(value))


def _cell(value: object) -> object:
    """Returns a value as CSV has it: as an export has it, but a list in words."""
    if isinstance(value, list):
        return " ".join(str(_plain(one)) for one in value)
    return as_text(_rounded(value))


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return _rounded(value)


def _rounded(value: object) -> object:
    return figure(value) if isinstance(value, float) else value
