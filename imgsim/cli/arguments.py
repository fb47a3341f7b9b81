"""Kinds of arguments and options that several commands take."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

FORMATS = ("table", "csv", "json", "markdown", "parquet")


class FilePath(click.Path):
    """A path; an empty one, such as an unset variable gives, is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Returns the path, unless it is empty."""
        # pathlib would read it as the current folder: `imgsim remove "$OLD"` would empty the store.
        if str(value) == "":
            self.fail("the path is empty (perhaps a variable is not set)", parameter, context)
        return super().convert(value, parameter, context)


class Similarity(click.FloatRange):
    """A cosine, a probability or a share; `nan` is not one, and 94 is not 0.94."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """Returns the number, unless it is out of range or not one."""
        number = float(click.FLOAT.convert(value, parameter, context))
        # It passes every comparison of a range.
        if math.isnan(number):
            self.fail(f"{value} is not a number.", parameter, context)
        if 1 < number <= 100:
            percent = f"for {number:g} percent give {number / 100:g}"
            self.fail(
                f"{value} is not in the range {self._describe_range()}; {percent}.",
                parameter,
                context,
            )
        return super().convert(value, parameter, context)


spreadsheet_safe_option = click.option(
    "--spreadsheet-safe",
    is_flag=True,
    help="In CSV, put an apostrophe before text that a spreadsheet would run as a formula.",
)


def format_option(command: Command) -> Command:
    """`--format` and `--spreadsheet-safe`, for answers that are printed."""
    chosen = click.option(
        "--format",
        "format_",
        type=click.Choice(FORMATS[:3]),
        default="table",
        show_default=True,
        help="How to print it.",
    )
    return chosen(spreadsheet_safe_option(command))


def report_options(command: Command) -> Command:
    """`--columns`, `--limit`, `--format` and `--output`, for answers that may go into a file."""
    for option in (
        spreadsheet_safe_option,
        click.option(
            "--columns",
            metavar="A,B,…",
            help="Only these, in this order.  [default: all, or those of the settings]",
        ),
        click.option(
            "--limit",
            type=click.IntRange(0),
            help="At most so many rows, from the first; 0: all.  [default: 20 on the screen]",
        ),
        click.option("--force", is_flag=True, help="Overwrite an existing file."),
        click.option("-o", "--output", type=FilePath(), metavar="FILE"),
        click.option(
            "--format",
            "format_",
            type=click.Choice(FORMATS),
            help="[default: table, or what the ending of --output says]",
        ),
    ):
        command = option(command)
    return command


two_models_option = click.option(
    *("--model", "model_names"),
    nargs=2,
    callback=lambda context, parameter, names: names or (),
    metavar="NAME NAME",
    help="[default: resnet18-print resnet50-print, or what there is]",
)
