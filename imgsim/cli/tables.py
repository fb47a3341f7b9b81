"""`imgsim table …`: other research tables, beside the pictures."""

from __future__ import annotations

from pathlib import Path

import click

from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import format_option, say, show, show_table, show_tally, warn
from imgsim.cli.place import Place, pass_place


@click.group()
def table() -> None:
    """Other research tables, to be joined with the pictures and books."""


@table.command()
@click.argument("file", type=table_file)
@click.option("--name", required=True, help="What the table is called, in the schema research.")
@click.option("--key", required=True, metavar="COLUMN", help="The id by which it is joined.")
@click.option("--replace", is_flag=True, help="Put it in the place of one with the same name.")
@pass_place
def load(place: Place, file: Path, name: str, key: str, replace: bool) -> int:
    """Bring a CSV, TSV or Parquet file into the schema research, ids as text.

    The key is indexed. Columns keep their names; numbers become numbers only where every value is
    one and the column holds no ids. Exit code: 3 if rows did not fit the columns.

    In psql: select * from imgsim.image i join research.NAME r on r.illustration_id = i.name;
    """
    from imgsim.bibliography import research

    with place.connect() as connection:
        loaded = research.load(connection, file, name, key, replace=replace)
    say(f"{file} ({loaded.file.kind})")
    unique = "no two rows share one" if loaded.key_unique else "several rows share one"
    say(f"research.{name}: {loaded.rows:,} rows, key {loaded.key} ({unique})")
    for note in loaded.notes:
        warn(note)
    if loaded.without_key:
        warn(f"{loaded.without_key:,} rows have no {loaded.key}")
    if not loaded.key_unique:
        warn(f"a join by {loaded.key} multiplies rows")
    show_tally(loaded.ragged, "rows do not fit the columns, not loaded", loud=True)
    show_table(("column", "type"), list(zip(loaded.columns, loaded.types, strict=True)))
    return SOME_REFUSED if loaded.ragged.count else 0


@table.command("list")
@format_option
@pass_place
def list_(place: Place, format_: str) -> None:
    """The research tables that were loaded, their keys and sources.

    In psql: select * from imgsim.research_status;
    """
    from imgsim.bibliography import research

    with place.connect() as connection:
        answer = research.listed(connection)
    if not answer.rows and format_ == "table":
        say("no research tables yet: imgsim table load FILE --name NAME --key COLUMN")
    else:
        show(answer, format_)
