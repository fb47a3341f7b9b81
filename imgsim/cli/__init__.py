"""The commands of `imgsim`: each parses, calls one function, prints, and sets the exit code."""

from __future__ import annotations

import click

from imgsim.cli import (
    database,
    demo,
    doctor,
    export,
    groups,
    images,
    metadata,
    models,
    neighbours,
    pairs,
    plots,
    reports,
    similar,
    tables,
    verdicts,
    verify,
)
from imgsim.cli.place import Place
from imgsim.version import __version__


# Commands import what they need when they run: `imgsim --help` does not wait for torch.
@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `imgsim demo`. The same questions can be asked in SQL: `imgsim psql`.",
)
@click.option(
    "--store",
    metavar="NAME|PATH",
    help="Keep everything in this store, which imgsim runs itself.  [default: default]",
)
@click.option(
    "--database", metavar="URL", help="Use a PostgreSQL server that somebody else runs instead."
)
@click.version_option(__version__, prog_name="imgsim")
@click.pass_context
def imgsim(context: click.Context, store: str | None, database: str | None) -> None:
    """Find which printed pictures were re-used: where, when and by whom.

    Reads folders of scanned illustrations, keeps a vector of each in PostgreSQL, and ranks them by
    likeness.
    """
    context.obj = Place(store=store, database=database)


for command in (
    demo.demo,
    images.ingest,
    images.remove,
    images.relocate,
    similar.similar,
    neighbours.neighbours,
    pairs.pairs,
    verify.verify,
    verdicts.verdict,
    groups.group,
    reports.report,
    plots.plot,
    export.export,
    models.model,
    metadata.metadata,
    tables.table,
    database.db,
    database.psql,
    doctor.doctor,
):
    imgsim.add_command(command)
