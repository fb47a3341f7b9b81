"""`imgsim cut`: finds the pictures on scans of pages."""

from __future__ import annotations

from pathlib import Path

import click

from imgsim.cli import onward
from imgsim.cli.arguments import FilePath
from imgsim.cli.output import say, say_count, warn
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.wording import counted

SOME_FAILED = 3
FEW = 5


@click.command()
@click.argument("pages", nargs=-1, required=True, type=FilePath(), metavar="PAGE|FOLDER…")
@click.option("--by", metavar="NAME", help="Who proposes them.  [default: your account's name]")
@pass_place
def cut(place: Place, pages: tuple[Path, ...], by: str | None) -> int:
    """Find the pictures on scans of whole pages, and propose them as regions.

    It looks at the ink alone, and finds most cuts, but also large type and stamps: accept regions
    with `imgsim region accept`, perhaps only those above a score, and reject the others. No file
    is made. Run again, it keeps what was decided. Exit code: 3 if files could not be read.
    """
    from imgsim.cli.progress import native_libraries_silenced
    from imgsim.pages import cutting
    from imgsim.reuse import verdicts

    with place.connect() as connection, native_libraries_silenced():
        who = by or verdicts.scholar()
        looked = cutting.look(connection, pages, who, progress_line("looking at:"))
    say(f"{counted(looked.pages, 'page')}, {looked.empty:,} without a picture")
    say_count(looked.new, "region new", "regions new")
    say_count(looked.known, "region known already", "regions known already")
    for refused in looked.refused[:FEW]:
        warn(f"cannot read {refused.path}: {refused.reason}")
    if len(looked.refused) > FEW:
        warn(f"cannot read {len(looked.refused) - FEW:,} more")
    onward.then("region load" if looked.new or looked.known else "")
    return SOME_FAILED if looked.refused else 0
