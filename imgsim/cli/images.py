"""`imgsim ingest`, `remove` and `relocate`: images into the store, out of it, and elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgsim.cli import onward
from imgsim.cli.arguments import FilePath
from imgsim.cli.output import confirm, say, warn_untrained
from imgsim.cli.place import Place, pass_place
from imgsim.settings import UNTRAINED
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.ingest.options import Options

SOME_FAILED = 3
PREPROCESSES = ("fit", "square", "original", "crop", "print")


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FilePath())
@click.option(
    "--model",
    "model_names",
    multiple=True,
    metavar="NAME",
    help="Repeat for several; `imagenet` means the two of the original study.  "
    "[default: the store's, at first imgsim's own two]",
)
@click.option(
    "--weights",
    multiple=True,
    metavar="[MODEL=]FILE",
    help="Weights for a new model: a file, a torchvision name, or the word `untrained`.",
)
@click.option(
    "--preprocess",
    type=click.Choice(PREPROCESSES),
    help="For a new model.  [default: fit; print for one trained on ink]",
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    help="cpu, cuda (every GPU), cuda:1, mps or auto.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
    help="bfloat16 is faster where the device is made for it, and auto takes it there.",
)
@click.option(
    "--batch-size", type=click.IntRange(1, 4096), help="[default: 8 on a processor, 64 on a GPU]"
)
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Threads that decode.  [default: cores]"
)
@click.option(
    "--name-pattern", metavar="REGEX", help="How file names give ecco_id, page and illustration."
)
@click.option(
    "--max-megapixels", type=click.FloatRange(0, min_open=True), default=250.0, show_default=True
)
@click.option("--limit", type=click.IntRange(1), help="Stop after taking in this many files.")
@click.option(
    "--only-regions",
    is_flag=True,
    help="Skip pages on which no region is accepted (imgsim region).",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--timings", is_flag=True, help="Show where the time went, stage by stage.")
@pass_place
def ingest(
    place: Place, /, paths: tuple[Path, ...], dry_run: bool, timings: bool, **given: Any
) -> int:
    """Take pictures into the store: files, and folders with all they contain.

    Unchanged files are recognised and skipped, so it can be stopped at any moment and run
    again. Hidden folders and those of a system (@eaDir, $RECYCLE.BIN) are skipped, but not if you
    name them. Exit code: 0 if all were taken in, 3 if some files could not be read (`imgsim report
    failures` lists them), 1 if nothing could be done or no picture was found.
    """
    from imgsim import ingest as pipeline
    from imgsim.cli import ingested
    from imgsim.cli.progress import ingest_progress, native_libraries_silenced
    from imgsim.collection import called, upkeep
    from imgsim.images.files import roots

    with place.connect() as connection:
        options = _options(connection, **given)
        if dry_run:
            summary = pipeline.survey(connection, paths, options)
            say("this would be done:")
        else:
            _announce(options)
            with native_libraries_silenced(), ingest_progress(paths) as shown:
                summary = pipeline.ingest(connection, paths, options, shown.files, shown.index)
        ingested.report(summary)
        if summary.set_aside:
            ingested.warn_of_skipped(upkeep.in_skipped_folders(connection, sorted(roots(paths))))
        if timings:
            ingested.show_timings(summary)
        ingested.refuse_nothing(summary, paths)
        if dry_run:
            onward.then("")
        elif example := called.example(connection):
            onward.then("ingest", name=example)
    return SOME_FAILED if summary.failed else 0


def _options(
    connection: Connection,
    model_names: tuple[str, ...],
    weights: tuple[str, ...],
    preprocess: str | None,
    name_pattern: str | None,
    workers: int | None,
    **others: Any,
) -> Options:
    from imgsim.ingest.options import Options
    from imgsim.networks.choice import choose

    settled = {
        key: value
        for key, value in {**others, "workers": workers, "pattern": name_pattern}.items()
        if value is not None
    }
    choice = choose(connection, model_names, weights, preprocess)
    if choice.told:
        say(choice.told)
    return Options(wanted=choice.wanted, **settled)


def _announce(options: Options) -> None:
    for wanted in options.wanted:
        if wanted.weights == UNTRAINED:
            warn_untrained(wanted.name)


@click.command()
@click.argument("paths", nargs=-1, type=FilePath())
@click.option("--missing", is_flag=True, help="Remove every image whose file no longer exists.")
@click.option("--with-verdicts", is_flag=True, help="Delete the verdicts on them too.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_place
def remove(
    place: Place, paths: tuple[Path, ...], missing: bool, with_verdicts: bool, yes: bool
) -> None:
    """Remove images from the store: by file, by folder, or all whose files are gone.

    Files on disk are not touched. Neighbour lists that named a removed image are computed again.
    Images on which there are verdicts stay, unless --with-verdicts is given.
    """
    from imgsim.collection import derived, failures, upkeep
    from imgsim.reuse import verdicts

    if bool(paths) == missing:
        raise click.UsageError("give paths, or --missing")
    with place.connect() as connection:
        places = None if missing else upkeep.places(connection, paths)
        if places is None:
            ids = upkeep.missing(connection)
        else:
            ids = upkeep.under_paths(connection, places)
        if ids:
            if not with_verdicts:  # before asking: not to refuse what has just been agreed to
                derived.refuse_judged(connection, ids)
            judged = verdicts.count_on(connection, ids)
            if not yes:
                also = f" and {counted(judged, 'verdict')}" if judged else ""
                confirm(
                    f"Remove {counted(len(ids), 'image')}{also} from the store? No file is touched."
                )
            removed = derived.remove(connection, ids, with_verdicts=with_verdicts)
            also = f", {counted(judged, 'verdict')} too" if judged else ""
            say(f"{counted(removed, 'image')} removed{also}")
        forgotten = failures.forget_under(connection, places)
    if forgotten:
        say(f"{counted(forgotten, 'recorded failure')} removed")
    elif not ids:
        say("there is no image to remove")


@click.command()
@click.argument("old", type=FilePath())
@click.argument("new", type=FilePath(exists=True))
@pass_place
def relocate(place: Place, old: Path, new: Path) -> None:
    """Tell the store that the folder (or file) OLD is now at NEW. No picture is read again."""
    import os

    from imgsim.collection import upkeep
    from imgsim.images.spelling import on_disk

    with place.connect() as connection:
        # The old place may be gone, links in its parents included: taken as it was written.
        there = on_disk(str(new)) or os.path.realpath(new)
        changed = upkeep.relocate(connection, os.path.abspath(old), there)
    say(f"{counted(changed, 'image')} moved to {new}")
