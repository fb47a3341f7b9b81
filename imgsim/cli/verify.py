"""`imgsim verify`: the same block, a copy, or merely alike?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.metadata import SOME_REFUSED, table_file
from imgsim.cli.output import say, show, show_tally, warn
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.settings import NEIGHBOURS
from imgsim.wording import counted, score_text

if TYPE_CHECKING:
    from imgsim.database.connection import Connection
    from imgsim.reuse.evidence.judgement import Judgement
    from imgsim.reuse.evidence.verification import Pair, Verified

SHOWN = 5
MOST_SURE = 0.999


@click.command(short_help="Compare the lines of like pictures: one block, a copy, or merely alike?")
@click.argument("images", nargs=-1, metavar="[IMAGE IMAGE]")
@click.option(
    "--pairs",
    "file",
    type=table_file,
    metavar="FILE",
    help="Only the pairs of a table with the columns image and other.",
)
@click.option(
    "-k",
    type=click.IntRange(1, 1000),
    default=NEIGHBOURS,
    show_default=True,
    help="How many neighbours of every picture to look at, by each model.",
)
@click.option("--turned", is_flag=True, help="Also match rotated pictures.")
@click.option("--again", is_flag=True, help="Also what has been verified already.")
@pass_place
def verify(
    place: Place, images: tuple[str, ...], file: Path | None, k: int, turned: bool, again: bool
) -> int:
    """Lay pictures upon each other and compare their lines: one block, a copy, or merely alike.

    Of every pair of near neighbours, by all models, or of two pictures, or of the pairs in a file,
    it says what they are to each other, how probable that is, whether one is mirrored or turned,
    and which part they share. Pictures are called by name, path or id; two may also be any image
    files.

    What has been verified is left as it is; interrupted, it goes on where it was. Exit code: 3 if
    rows of the file could not be used.

    In psql: select * from imgsim.verification_ecco where relation = 'same block';
    """
    if len(images) not in (0, 2) or (images and file):
        raise click.UsageError("give two images, or --pairs FILE, or neither")
    from imgsim.reuse import evidence

    with place.connect() as connection:
        if images:
            onward.then("")
            compared = evidence.compare(connection, images[0], images[1], turned, again)
            _tell(images, compared.judgement, compared.stored)
            if compared.judgement.relation in ("unrelated", "undecided"):
                _tell_of_a_negative(connection, *images)
            return 0
        refused = 0
        if file is not None:
            wanted, refused = _read(connection, file)
        else:
            wanted = _candidates(connection, k)
        verified = evidence.verification.verify(
            connection, wanted, turned, again, progress_line("verifying:")
        )
        _summarise(connection, verified)
        if file is None and verified.pairs:
            _tell_of_negatives(connection)
    return SOME_REFUSED if refused else 0


def _candidates(connection: Connection, k: int) -> list[Pair]:
    from imgsim.networks import models
    from imgsim.reuse.evidence import verification
    from imgsim.similarity import neighbours

    stored = models.stored(connection)
    neighbours.bring_up_to_date(connection, stored, k, progress_line("neighbours of"))
    return verification.candidates(connection, k)


def _read(connection: Connection, file: Path) -> tuple[list[Pair], int]:
    from imgsim.reuse import pair_files
    from imgsim.reuse.evidence.verification import Pair

    read = pair_files.read(connection, file)
    for tally in read.tallies:
        show_tally(tally)
    return [Pair(*pair.ids) for pair in read.pairs], read.refused


def _tell(images: tuple[str, ...], judged: Judgement, stored: bool) -> None:
    if judged.relation == "undecided":
        click.echo(f"undecided: {judged.reason}")
    else:
        click.echo(judged.relation)
        if judged.reason:
            click.echo(judged.reason)
            return
    if judged.transform is not None or judged.relation == "unrelated":
        click.echo(
            f"probability of one block {score_text(judged.probability, 3)}, of a copy "
            f"{score_text(judged.copy_probability, 3)}, of neither "
            f"{score_text(judged.unrelated_probability, 3)}"
        )
    if judged.box is None:
        return
    for finding in _lying(judged):
        click.echo(finding)
    click.echo(
        f"{judged.inliers} points match; {judged.coverage:.0%} of the ink of the first agrees with "
        f"the second, {judged.other_coverage:.0%} the other way; lines correlate at "
        f"{judged.correlation:.2f}"
    )
    if judged.relation == "same block in part":
        boxes = (", ".join(map(str, box)) for box in (judged.box, judged.other_box or ()))
        for image, box in zip(images, boxes, strict=True):
            click.echo(f"the part in {image}: {box} (left, top, right, bottom, in pixels)")
    if stored:
        onward.then("verify two", image=images[0], other=images[1])


def _lying(judged: Judgement) -> Iterator[str]:
    """What is remarkable of how the one lies upon the other; nothing of pictures unrelated."""
    if judged.relation == "unrelated":
        return
    if judged.mirrored:
        if judged.relation.startswith("same block"):
            yield "left and right are exchanged: a counterproof, or a scan that was flipped"
        else:
            yield "left and right are exchanged, as in a print that was copied from a print"
    if judged.turned_by:
        yield f"the first is turned by {judged.turned_by:.0f}° to lie upon the second"


def _tell_of_a_negative(connection: Connection, image: str, other: str) -> None:
    from imgsim.reuse import negatives

    if judged := negatives.judged_turned_round(connection, image, other):
        sure = min(judged.probability, MOST_SURE)
        warn(
            "one of the two looks like a negative; with its black and white exchanged: "
            f"{judged.relation} (probability {sure:.3f})"
        )


def _tell_of_negatives(connection: Connection) -> None:
    """Looks for negatives, whose similarity to their positives is too low for a candidate."""
    from imgsim.errors import ImgsimError
    from imgsim.networks import models
    from imgsim.reuse import negatives

    chosen = models.stored(connection)
    try:
        found = negatives.find_all(connection, chosen[0], progress_line("looking for"))
    except ImgsimError as exc:
        warn(f"cannot look for negatives: {exc}")
        return
    for negative in found[:SHOWN]:
        warn(
            f"{negative.name} looks like a negative of {negative.positive}: with black and white "
            "exchanged the two are of one block"
        )
    if len(found) > SHOWN:
        warn(f"{counted(len(found) - SHOWN, 'more negative')}: the table imgsim.negative has all")


def _summarise(connection: Connection, verified: Verified) -> None:
    from imgsim.database.connection import Table

    if not verified.pairs:
        onward.then("")
        say("no pairs to verify: take pictures in first with imgsim ingest FOLDER")
        return
    judged = sum(verified.relations.values())
    already = f", {verified.done:,} verified before" if verified.done else ""
    say(f"{counted(judged, 'pair')} verified{already}")
    for name, reason in list(verified.unreadable.items())[:SHOWN]:
        warn(f"{name} cannot be read: {reason}; its pairs are undecided")
    if len(verified.unreadable) > SHOWN:
        warn(f"{len(verified.unreadable) - SHOWN:,} more cannot be read: imgsim report evidence")
    rows = [(relation, count) for relation, count in verified.relations.most_common()]
    if rows:
        show(Table(("relation", "pairs"), list(rows)), "table")
        if verified.mirrored:
            say(f"mirrored, of those from one block: {verified.mirrored:,}")
