"""`imgsim model train`: a network taught to know the prints of one's own folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from imgsim.cli import onward
from imgsim.cli.arguments import FilePath
from imgsim.cli.output import say
from imgsim.cli.place import Place, pass_place
from imgsim.settings import UNTRAINED

if TYPE_CHECKING:
    from imgsim.networks.training import Plan

BEGIN_RATE, GO_ON_RATE = 1.5e-3, 3e-4


@click.command()
@click.argument("paths", nargs=-1, required=True, type=FilePath())
@click.option("--name", required=True, help="What to call the new model.")
@click.option(
    "--from",
    "source",
    metavar="NAME",
    default="resnet18-print",
    show_default=True,
    help="Where it starts: a model, which is trained further, or an architecture of "
    "torchvision, such as resnet18, which starts untrained.",
)
@click.option("--weights", metavar="FILE|NAME", help="Start with these weights of --from instead.")
@click.option("--teacher", metavar="MODEL", help="A model that it also learns from.")
@click.option("--steps", type=click.IntRange(1), default=1000, show_default=True)
@click.option(
    "--batch-size",
    type=click.IntRange(8, 65536),
    default=192,
    show_default=True,
    help="Pictures in a step; each gives two impressions.",
)
@click.option(
    "--sides",
    metavar="A B C",
    type=(click.IntRange(32, 512),) * 3,
    default=(96, 128, 160),
    show_default=True,
    help="Pixels on a side of the impressions, at first, then, and at the end: small is fast.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    help=f"The highest learning rate.  [default: {BEGIN_RATE}; {GO_ON_RATE} for what has learnt]",
)
@click.option(
    "--patience",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Stop after so many epochs without improvement; 0 for never.",
)
@click.option("--mirror", is_flag=True, help="Treat mirrored copies as the same picture.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--device", default="auto", show_default=True, help="cpu, cuda, cuda:1, mps or auto.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bfloat16"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--folder",
    type=FilePath(file_okay=False),
    help="Where checkpoints and weights are kept.  [default: in imgsim's own folder, by --name]",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Start again instead of resuming an unfinished training of that name.",
)
@pass_place
def train(
    place: Place,
    paths: tuple[Path, ...],
    name: str,
    source: str,
    weights: str | None,
    teacher: str | None,
    steps: int,
    batch_size: int,
    sides: tuple[int, int, int],
    rate: float | None,
    patience: int,
    mirror: bool,
    seed: int,
    device: str,
    precision: str,
    folder: Path | None,
    fresh: bool,
) -> None:
    """Train a network to recognise a picture in another impression of it; no labels are needed.

    It sees two simulated impressions of every picture (inked, worn, cropped, turned, thresholded,
    stamped, shown through), and learns that they belong together and other pictures do not. A few
    of the pictures are held out: after each epoch it says how many of them a new impression finds,
    and at the end they give the model its own threshold, if they are not too few.

    The state is kept every few minutes: interrupted, the same command goes on. At the end the
    network is a model of the store; `imgsim ingest --model NAME PATH…` looks at pictures with it.
    """
    from imgsim import settings
    from imgsim.networks import models
    from imgsim.networks.training import Plan
    from imgsim.networks.training.loop import Recipe

    with place.connect() as connection:
        models.check_new(connection, name)
        architecture, begun_with = models.origin(connection, source, weights)
        taught_by = models.origin(connection, teacher) if teacher else None
    learnt = begun_with != UNTRAINED
    recipe = Recipe(
        architecture=architecture,
        started_from=source if learnt and not weights else begun_with,
        steps=steps,
        batch=batch_size,
        sides=sides,
        rate=rate or (GO_ON_RATE if learnt else BEGIN_RATE),
        patience=patience,
        mirror=mirror,
        teacher=teacher or "",
        seed=seed,
    )
    kept = folder or settings.data_home() / "training" / name
    plan = Plan(recipe, kept.absolute(), begun_with, taught_by, device, precision, fresh)
    _train(place, name, plan, paths)


def _train(place: Place, name: str, plan: Plan, paths: tuple[Path, ...]) -> None:
    """Trains by a plan, and stores the network as a model."""
    from imgsim.cli.epochs import Shown
    from imgsim.networks import models, thresholds
    from imgsim.networks.training import clear, train

    # No connection is held meanwhile: a training takes hours, and the server may be restarted.
    trained = train(plan, paths, Shown())
    with place.connect() as connection:
        weights = str(trained.weights)
        wanted = models.Wanted(name, plan.recipe.architecture, weights, training=trained.provenance)
        added = models.ensure(connection, wanted)
    # Only now: until the model is stored, the same command can go on from the checkpoints.
    clear(plan.folder)
    say(
        f"{added.name}: {added.architecture}, {added.dimension:,} numbers a picture, "
        f"{added.preprocess}; weights in {trained.weights}"
    )
    measured = added.threshold_from or "measure it with: imgsim report calibration --keep"
    say(f"threshold: {thresholds.of(added)} ({measured})")
    onward.then("model train", model=added.name)
