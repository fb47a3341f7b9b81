"""What commands print: answers on standard output, everything else on standard error."""

from __future__ import annotations

import csv
import datetime
import io
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from imgsim.errors import ImgsimError

if TYPE_CHECKING:
    from imgsim.database.connection import Table

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "csv", "json", "markdown", "parquet")
ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".parquet": "parquet",
    ".txt": "table",
}
WIDE = 10_000
NEVER_SHORTENED = ("rank", "similarity", "name", "shared", "images", "percent", "model")

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS[:3]),
    default="table",
    show_default=True,
    help="How to print it.",
)


def report_options(command: Command) -> Command:
    """`--format` and `--output`, for answers that may go into a file."""
    for option in (
        click.option("--force", is_flag=True, help="Write over a file that is there."),
        click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE"),
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="[default: table, or what the ending of --output says]",
        ),
    ):
        command = option(command)
    return command


def say(text: str = "") -> None:
    """A line for the reader, on standard error, so that it never gets into a pipe."""
    click.echo(text, err=True)


def complain(message: str, hint: str = "") -> None:
    """An error, and what to do about it."""
    click.secho("error: ", fg="red", bold=True, nl=False, err=True)
    say(message)
    if hint:
        say(f"  next: {hint}")


def warn(message: str) -> None:
    """Something that the reader must know to read the answer rightly."""
    click.secho("note: ", fg="yellow", bold=True, nl=False, err=True)
    say(message)


def progress_line(doing: str) -> Callable[[str, int, int], None]:
    """A line on a terminal that counts up: of what, how many are done, and of how many."""

    def update(what: str, done: int, of: int) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{doing} {what}: {done:,} of {of:,}", nl=done == of, err=True)

    return update


def confirm(question: str) -> None:
    """Ask before something that cannot be undone.

    Raises:
        ImgsimError: there is nobody to ask.
        click.Abort: the answer is no.
    """
    if not sys.stdin.isatty():
        raise ImgsimError(f"{question} There is no terminal to answer on", "give --yes")
    click.confirm(question, abort=True, err=True)


def show(table: Table, format_: str) -> None:
    """Print an answer in one of `FORMATS` but Parquet."""
    if format_ == "table":
        show_table(table.columns, table.rows)
    else:
        sys.stdout.write(written(table, format_))


def deliver(table: Table, format_: str | None, output: Path | None, force: bool) -> None:
    """Print an answer, or write it whole into a file.

    Raises:
        ImgsimError: the file is there already or cannot be written, or the format needs a file.
    """
    if output is None:
        if format_ == "parquet":
            raise ImgsimError("Parquet is written into a file", "give --output FILE.parquet")
        show(table, format_ or "table")
        return
    from imgsim.formats.unfinished import refuse_existing, unfinished

    chosen = format_ or ENDINGS.get(output.suffix.lower())
    if chosen is None:
        raise ImgsimError(
            f"the ending of {output.name} tells no format", f"give --format {'|'.join(FORMATS)}"
        )
    refuse_existing(output.parent, [output.name], force)
    with unfinished(output.parent) as scratch:
        temporary = scratch / output.name
        if chosen == "parquet":
            table.frame().to_parquet(temporary, index=False)
        else:
            temporary.write_text(written(table, chosen), "utf-8", newline="")
    say(f"{len(table.rows):,} rows written into {output}")


def written(table: Table, format_: str) -> str:
    """An answer as the text of a CSV, JSON or Markdown file, or as a plain table."""
    if format_ == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows([_cell(value) for value in row] for row in table.rows)
        return text.getvalue()
    if format_ == "json":
        records = [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows]
        return json.dumps(records, ensure_ascii=False, indent=1) + "\n"
    if format_ == "markdown":
        return _markdown(table)
    text = io.StringIO()
    _print_table(text, table.columns, table.rows, "")
    return text.getvalue()


def _markdown(table: Table) -> str:
    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    rows = (line(map(_readable, row)) for row in table.rows)
    return line(table.columns) + line("---" for _ in table.columns) + "".join(rows)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a table for reading: as wide as the terminal, or as it needs to be in a file."""
    _print_table(sys.stdout, columns, rows, title)


def _print_table(
    stream: IO[str], columns: Sequence[str], rows: Sequence[Sequence[object]], title: str
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(
        box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False
    )
    for index, column in enumerate(columns):
        numbers = all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        widest = max((len(_readable(row[index])) for row in rows), default=0)
        drawn.add_column(
            column.replace("_", " "),
            justify="right" if numbers and rows else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=widest if column in NEVER_SHORTENED else None,
        )
    for row in rows:
        drawn.add_row(*(Text(_readable(value)) for value in row))
    Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False).print(drawn)


def _readable(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(value))


def _cell(value: object) -> object:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{value:.6f}" if isinstance(value, float) else value


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return value
