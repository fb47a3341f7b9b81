"""What all reports share: the group `imgsim report`, their options, and how they are delivered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgsim.cli import onward
from imgsim.cli.arguments import Similarity
from imgsim.cli.columns import chosen
from imgsim.cli.helping import Commands
from imgsim.cli.output import deliver, say, warn_untrained
from imgsim.cli.place import Place
from imgsim.cli.progress import progress_line
from imgsim.settings import SHARED, UNTRAINED

if TYPE_CHECKING:
    from imgsim.database.connection import Connection, Table

ON_SCREEN = 20
"""How many rows are printed for reading, unless more are asked for."""

k_option = click.option("-k", type=click.IntRange(1, 1000), default=SHARED, show_default=True)
models_option = click.option(
    "--model", "model_names", multiple=True, metavar="NAME", help="[default: all in the store]"
)
model_option = click.option(
    "--model", metavar="NAME", help="[default: resnet18-print, or what there is]"
)
threshold_option = click.option(
    "--threshold",
    type=Similarity(0, 1, min_open=True),
    help="The least similarity of two like pictures.  [default: the model's own]",
)


@click.group(cls=Commands)
def report() -> None:
    """Answer questions in tables: which pictures, in which books, where and when?

    Each report is also a view or function in SQL.
    """


def deliver_report(
    place: Place,
    name: str,
    given: dict[str, Any],
    *,
    title: Callable[[Connection, Table], str] = lambda connection, answer: "",
    computes: bool = True,
) -> None:
    """Asks for one report, and prints it or writes it where the options say."""
    from imgsim import reports

    format_: str | None = given.pop("format_")
    output: Path | None = given.pop("output")
    force: bool = given.pop("force")
    safe: bool = given.pop("spreadsheet_safe")
    columns: str | None = given.pop("columns")
    limit: int | None = given.pop("limit")
    if computes:
        given["on_progress"] = progress_line("comparing by")
    with place.connect() as connection:
        answer = reports.REPORTS[name](connection, **given)
        heading = title(connection, answer)
        _warn_of_untrained(connection, name)
    if answer.note:
        say(answer.note)
    # In a file or a pipe an empty answer is an empty table; a reader is told in words.
    is_read = output is None and format_ in (None, "table")
    if is_read and answer.rows:
        first = zip(answer.columns, answer.rows[0], strict=True)
        onward.then(f"report {name}", **{c: value for c, value in first if value is not None})
    else:
        onward.then("")
    if is_read:
        if heading or not answer.rows:
            say(heading or "nothing to report")
        if not answer.rows:
            return
    shown = chosen(name, answer, columns, is_read=is_read)
    if limit is None:
        limit = ON_SCREEN if is_read else 0
    is_cut = 0 < limit < len(answer.rows)
    if is_cut:
        shown = replace(shown, rows=shown.rows[:limit])
    deliver(shown, format_, output, force, safe)
    if is_cut:
        say(f"{limit:,} of {len(answer.rows):,}; --limit 0 for all")


def _warn_of_untrained(connection: Connection, name: str) -> None:
    from imgsim.networks import models

    if name in ("coverage", "evidence", "failures", "groups", "recall", "reuse", "verdicts"):
        return
    for model in models.stored(connection):
        if model.weights == UNTRAINED:
            warn_untrained(model.name)
