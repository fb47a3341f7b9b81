"""What commands print: answers on standard output, everything else on standard error."""

from __future__ import annotations

import csv
import datetime
import json
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.errors import ImgsimError

if TYPE_CHECKING:
    from imgsim.database.connection import Table

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "csv", "json")
WIDE = 10_000
NEVER_SHORTENED = ("rank", "similarity", "name", "shared", "images", "percent", "model")

format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="How to print it.",
)


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
    """Print an answer in one of `FORMATS`."""
    if format_ == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows([_cell(value) for value in row] for row in table.rows)
    elif format_ == "json":
        records = [dict(zip(table.columns, map(_plain, row), strict=True)) for row in table.rows]
        click.echo(json.dumps(records, ensure_ascii=False, indent=1))
    else:
        show_table(table.columns, table.rows)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """Print a table for reading: as wide as the terminal, or as it needs to be in a file."""
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
    terminal = sys.stdout.isatty()
    Console(width=None if terminal else WIDE, highlight=False).print(drawn)


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
