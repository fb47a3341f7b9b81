"""`imgsim region …`: which parts of a page are pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import FilePath, format_option
from imgsim.cli.helping import Commands
from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import say, say_count, show_listed, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.pages.regions import Loaded


@click.group(cls=Commands)
def region() -> None:
    """Say which parts of a page are pictures, by boxes that others found or drew."""


@region.command()
@click.argument("files", nargs=-1, required=True, type=table_file, metavar="FILE…")
@click.option(
    "--pages", type=FilePath(), metavar="FOLDER", help="Where the pages are.  [default: as FILE]"
)
@click.option("--accept", is_flag=True, help="Accept them; otherwise they are proposed.")
@click.option("--by", metavar="NAME", help="Who says so.  [default: your account's name]")
@pass_place
def load(
    place: Place, files: tuple[Path, ...], pages: Path | None, accept: bool, by: str | None
) -> int:
    """Read boxes on pages from files: CSV and other tables, COCO, ALTO, PAGE XML, IIIF annotations.

    A table has the columns page, x, y, width, height (or left, top, right, bottom), in pixels of
    the page as it is shown upright, and perhaps frame, score, kind and state. Accepted regions are
    pictures of their own from the next imgsim ingest of their pages on, named PAGE_N. Exit code: 3
    if rows could not be used, or there were none.
    """
    from imgsim.pages import regions
    from imgsim.reuse import verdicts

    refused = accepted = 0
    who = by or verdicts.scholar()
    with place.connect() as connection:
        for file in files:
            loaded = regions.load(connection, file, pages, who, accept=accept)
            _report(file, loaded)
            refused += loaded.refused + loaded.is_blank
            accepted += loaded.states["accepted"]
    onward.then("region load, accepted" if accepted else "region load")
    return SOME_REFUSED if refused else 0


def _report(file: Path, loaded: Loaded) -> None:
    say(f"{file} ({loaded.kind})")
    say_count(loaded.new, "region new", "regions new")
    say_count(loaded.known, "region known already", "regions known already")
    states = ", ".join(f"{count:,} {state}" for state, count in sorted(loaded.states.items()))
    if states:
        say(f"{'':>10}of these {states}")
    show_tally(loaded.scaled)
    for tally in (loaded.elsewhere, loaded.outside, loaded.unusable):
        show_tally(tally, loud=True, few=len(tally.examples))
    if loaded.is_blank:
        warn("no region is in this file")


def _decision(name: str, state: str, words: str) -> click.Command:
    @region.command(
        name,
        help=f"{words} regions: those proposed on pages or in folders, or one by its name.",
    )
    @click.argument("called", nargs=-1, required=True, metavar="PAGE|FOLDER|REGION…")
    @click.option("--above", type=float, metavar="SCORE", help="Only those with at least this.")
    @click.option("--kind", metavar="KIND", help="Only those of this kind, such as picture.")
    @click.option("--by", metavar="NAME", help="Who says so.  [default: your account's name]")
    @pass_place
    def decide(
        place: Place,
        called: tuple[str, ...],
        above: float | None,
        kind: str | None,
        by: str | None,
    ) -> None:
        from imgsim.pages import regions
        from imgsim.reuse import verdicts

        with place.connect() as connection:
            who = by or verdicts.scholar()
            count = regions.decide(connection, called, state, who, above, kind)
        say(f"{counted(count, 'region')} {state}")
        if not count:
            onward.then("")

    return decide


accept = _decision("accept", "accepted", "Accept")
reject = _decision("reject", "rejected", "Reject")


@region.command("list")
@format_option
@pass_place
def list_(place: Place, format_: str, spreadsheet_safe: bool) -> None:
    """List all regions, with the pictures that they have become.

    In psql: select * from imgsim.region;
    """
    from imgsim.pages import regions

    with place.connect() as connection:
        answer = regions.listed(connection)
    show_listed(answer, "no regions yet: imgsim region load FILE", format_, spreadsheet_safe)
