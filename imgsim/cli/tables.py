"""`imgsim table …`: other research tables, beside the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli.arguments import format_option
from imgsim.cli.helping import Commands
from imgsim.cli.metadata import SOME_REFUSED, reading_options, show_reading, table_file
from imgsim.cli.output import say, show_listed, show_table, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.bibliography.research import ResearchTable

# As in imgsim.bibliography.keys, which is not imported before a command runs.
FORMS = ("name", "page", "book", "estc")


@click.group(cls=Commands)
def table() -> None:
    """Read in other research tables, to be joined with the pictures and books."""


@table.command()
@click.argument("file", type=table_file)
@click.option("--name", required=True, help="What the table is called, in the schema research.")
@click.option("--key", required=True, metavar="COLUMN", help="The id by which it is joined.")
@click.option("--replace", is_flag=True, help="Put it in the place of one with the same name.")
@click.option(
    "--key-as",
    type=click.Choice(FORMS),
    help="Write the key as the store does: names without folder and ending, ids with their zeros.",
)
@reading_options
@pass_place
def load(
    place: Place,
    file: Path,
    name: str,
    key: str,
    replace: bool,
    key_as: str | None,
    missing: tuple[str, ...],
    sheet: str | None,
) -> int:
    """Bring a table into the schema research, ids as text.

    Tables: CSV, TSV, Parquet, Excel (.xlsx), JSON. The key is indexed, and the command says what
    of the store it names. Columns keep their names; numbers become numbers only where every value
    is one and the column holds no ids. Exit code: 3 if rows did not fit the columns, or there were
    none.

    In psql: select * from imgsim.image i join research.NAME r on r.illustration_id = i.name;
    """
    from imgsim.bibliography import research

    with place.connect() as connection:
        loaded = research.load(
            *(connection, file, name, key),
            replace=replace,
            key_as=key_as,
            missing=missing,
            sheet=sheet,
        )
    say(f"{file} ({loaded.file.kind})")
    unique = "no two rows share one" if loaded.key_unique else "several rows share one"
    say(f"research.{name}: {counted(loaded.rows, 'row')}, key {loaded.key} ({unique})")
    for note in loaded.notes:
        if note not in loaded.file.notes:
            warn(note)
    show_reading(loaded.file)
    if loaded.without_key:
        warn(f"{counted(loaded.without_key, 'row has', 'rows have')} no {loaded.key}")
    if not loaded.key_unique:
        warn(f"a join by {loaded.key} multiplies rows")
    show_tally(loaded.ragged, loud=True)
    _report_joins(loaded)
    show_table(("column", "type"), list(zip(loaded.columns, loaded.types, strict=True)))
    return SOME_REFUSED if loaded.ragged.count or loaded.file.is_blank else 0


def _report_joins(loaded: ResearchTable) -> None:
    """Says what the keys name in the store, and how they would name more."""
    from imgsim.bibliography.keys import CHANGES, MEANINGS

    joins = loaded.joins
    if not joins.keys:
        return
    counts = ", ".join(f"{joins.as_they_are[form]:,} {what}" for form, what in MEANINGS.items())
    (say if any(joins.as_they_are.values()) else warn)(
        f"keys that name something stored, of {joins.keys:,} in the table: {counts}"
    )
    for form, count in joins.better.items():
        warn(
            f"{counted(count, 'key')} would name {MEANINGS[form]} {CHANGES[form]}: "
            f"load with --replace --key-as {form}"
        )


@table.command("list")
@format_option
@pass_place
def list_(place: Place, format_: str, spreadsheet_safe: bool) -> None:
    """The research tables that were loaded, their keys and sources.

    In psql: select * from imgsim.research_status;
    """
    from imgsim.bibliography import research

    with place.connect() as connection:
        answer = research.listed(connection)
    none = "no research tables yet: imgsim table load FILE --name NAME --key COLUMN"
    show_listed(answer, none, format_, spreadsheet_safe)
