"""`imgsim verdict`: what a scholar says of two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import say, say_count, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.reuse.pair_files import PairFile
    from imgsim.reuse.verdict_files import Loaded
    from imgsim.reuse.verdicts import Recorded


@click.command(
    short_help="Record how two pictures relate: same block, copy, same subject, unrelated."
)
@click.argument("images", nargs=-1, metavar="[IMAGE IMAGE VERDICT]")
@click.option("--note", metavar="TEXT", help="Why, or anything else worth keeping.")
@click.option(
    "--by",
    metavar="NAME",
    help="Whose verdict it is.  [default: IMGSIM_SCHOLAR, or you]",
)
@click.option("--load", "file", type=table_file, metavar="FILE", help="Read many from a table.")
@pass_place
def verdict(
    place: Place, images: tuple[str, ...], note: str | None, by: str | None, file: Path | None
) -> int:
    """Record how two stored pictures relate.

    VERDICT is one of: same block (or plate), copy, same subject, unrelated. A picture is called by
    its name, path or id. Nothing is overwritten: of each scholar the latest verdict on a pair
    counts, and where scholars contradict each other the pair is disputed.

    --load reads CSV, TSV or Parquet with the columns image, other, verdict and, where they are
    there, note, by, at; `imgsim export verdicts` writes them so. What is stored already is not
    added again. Exit code: 3 if rows could not be used.

    In psql: select * from imgsim.verdict_pair_ecco;
    """
    from imgsim.reuse import verdict_files, verdicts

    if (file is None) != (len(images) >= 3) or (file is not None and (images or note)):
        raise click.UsageError("give IMAGE IMAGE VERDICT, or --load FILE")
    with place.connect() as connection:
        if file is not None:
            loaded = verdict_files.load(connection, file, by)
            _report(file, loaded)
            return SOME_REFUSED if loaded.refused else 0
        image, other, *words = images
        _tell(verdicts.record(connection, image, other, " ".join(words), note=note, by=by))
    return 0


def _tell(recorded: Recorded) -> None:
    given = recorded.given
    both = f"{recorded.name} and {recorded.other_name}"
    if not recorded.added:
        say(f"{both}: {given.by} already said so: {given.verdict}")
    elif recorded.before in (None, given.verdict):
        say(f"{both}: {given.verdict}, says {given.by}")
    else:
        say(f"{both}: {given.verdict}, says {given.by}, who said {recorded.before} before")
    if recorded.against:
        others = ", ".join(f"{name} says {word}" for name, word in recorded.against)
        warn(f"disputed: {others}")


def _report(file: Path, loaded: Loaded) -> None:
    say(f"{file} ({loaded.pairs.file.kind}), {counted(loaded.pairs.rows, 'row')}")
    say_count(loaded.added, "verdict added", "verdicts added")
    if loaded.already:
        say(f"{loaded.already:>9,} already stored")
    show_tally(loaded.repeated)
    show_tally(loaded.outdated, loud=True)
    tell_unusable(loaded.pairs)
    for tally in loaded.tallies:
        show_tally(tally, loud=True)
    if loaded.disputed:
        verb = "is" if loaded.disputed == 1 else "are"
        disputed = counted(loaded.disputed, "pair")
        warn(f"{disputed} {verb} disputed; see imgsim report verdicts --disputed")


def tell_unusable(pairs: PairFile) -> None:
    """Says what is odd about a file, and which of its rows do not name two stored images."""
    for note in pairs.file.notes:
        warn(note)
    for tally in pairs.tallies:
        show_tally(tally, loud=True)
