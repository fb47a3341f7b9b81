"""The commands of `imgsim`: each parses, calls one function, prints, and sets the exit code."""

from __future__ import annotations

import os

import click

from imgsim.cli import (
    completion,
    cutting,
    database,
    demo,
    doctor,
    export,
    groups,
    images,
    metadata,
    models,
    neighbours,
    onward,
    pairs,
    plots,
    regions,
    reports,
    similar,
    status,
    tables,
    verdicts,
    verify,
)
from imgsim.cli.helping import Commands, call_numbers_numbers
from imgsim.cli.place import Place
from imgsim.version import __version__

FAILED = 1


# Commands import what they need when they run: `imgsim --help` does not wait for torch.
@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `imgsim demo`, or `imgsim ingest FOLDER`. More: imgsim COMMAND --help.",
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

    It reads folders of scanned illustrations, ranks them by likeness, decides which were printed
    from one block, and says in which books they appear.
    """
    context.obj = Place(store=store, database=database)
    # https://no-color.org: set to anything but nothing.
    if os.environ.get("NO_COLOR"):
        context.color = False


@imgsim.result_callback()
@click.pass_context
def told_what_next(context: click.Context, /, result: object, **given: object) -> object:
    """Tells what to do next, if the command has done something."""
    if result != FAILED:
        onward.tell(context)
    return result


# A new command goes into one of these, and so into its section of `imgsim --help`.
SECTIONS: dict[str, tuple[click.Command, ...]] = {
    "Take pictures and books in": (
        demo.demo,
        images.ingest,
        cutting.cut,
        regions.region,
        metadata.metadata,
        tables.table,
    ),
    "Look": (
        status.status,
        similar.similar,
        neighbours.neighbours,
        pairs.pairs,
    ),
    "Decide": (
        verify.verify,
        verdicts.verdict,
        groups.group,
    ),
    "Report": (
        reports.report,
        plots.plot,
    ),
    "Take results out": (
        export.export,
        database.psql,
    ),
    "Keep the store in order": (
        doctor.doctor,
        images.remove,
        images.relocate,
        models.model,
        database.db,
    ),
}

for title, commands in SECTIONS.items():
    imgsim.add_section(title, commands)
completion.complete(imgsim)
call_numbers_numbers(imgsim)
