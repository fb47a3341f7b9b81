"""`imgsim model …`: the networks of a store."""

from __future__ import annotations

import click

from imgsim.cli.arguments import format_option
from imgsim.cli.helping import Commands
from imgsim.cli.images import PREPROCESSES
from imgsim.cli.output import confirm, say, show_listed
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.cli.training import train
from imgsim.settings import PRETRAINED


@click.group(cls=Commands)
def model() -> None:
    """List, add, train and remove the networks that compare pictures."""


model.add_command(train)


@model.command("list")
@format_option
@pass_place
def list_(place: Place, format_: str, spreadsheet_safe: bool) -> None:
    """List the models of the store, and how much each has looked at.

    In psql: select * from imgsim.model_status();
    """
    from imgsim.networks import models

    with place.connect() as connection:
        answer = models.status(connection)
    none = "no models yet; `imgsim ingest` adds imgsim's own two, `imgsim model add` others"
    show_listed(answer, none, format_, spreadsheet_safe)


@model.command()
@click.argument("architecture")
@click.option("--name", help="The name of the model.  [default: the architecture]")
@click.option(
    "--weights",
    metavar="FILE|NAME",
    help=f"File, torchvision name or `untrained`.  [default: {PRETRAINED}]",
)
@click.option(
    "--preprocess",
    type=click.Choice(PREPROCESSES),
    help="[default: fit; print for one trained on ink]",
)
@pass_place
def add(
    place: Place, architecture: str, name: str | None, weights: str | None, preprocess: str | None
) -> None:
    """Add a network by which pictures are compared.

    ARCHITECTURE is one of torchvision's for classification, such as convnext_tiny, or one of
    imgsim's own, trained on prints: resnet18-print, resnet50-print. What goes into its last layer
    describes a picture. `imgsim ingest` then looks at every picture with it too.
    """
    from imgsim.networks import models
    from imgsim.similarity import index

    wanted = models.Wanted(
        name or architecture.replace("/", "-"), architecture, weights, preprocess
    )
    with place.connect() as connection:
        added = models.ensure(connection, wanted)
        index.build(connection, added, progress_line("index of"))
    say(
        f"{added.name}: {added.architecture}, {added.dimension:,} numbers a picture, "
        f"{added.weights}, {added.preprocess}; in psql imgsim.{added.embedding_table}"
    )


@model.command()
@click.argument("name")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@pass_place
def remove(place: Place, name: str, yes: bool) -> None:
    """Remove a model with all that it has found; pictures, verdicts and groups stay."""
    from imgsim.networks import models

    with place.connect() as connection:
        found = models.named(connection, name)
        if not yes:
            confirm(f"Remove {found.name}, and what it says of every picture?")
        models.remove(connection, found)
    say(f"{name} removed")


@model.command()
@click.argument("architectures", nargs=-1)
@click.option("--weights", metavar="NAME", default=PRETRAINED, show_default=True)
def fetch(architectures: tuple[str, ...], weights: str) -> None:
    """Download the weights of the original study's networks, so that ingest needs no connection.

    Without ARCHITECTURES: those of the original study, resnet18 and resnet50. imgsim's own networks
    come with it, and need no download.
    """
    from imgsim.networks import named
    from imgsim.networks.architectures import find_weights

    for architecture in named.expanded(architectures or [named.IMAGENET]):
        found = find_weights(architecture, weights)
        say(f"{architecture} {found.name}: {found.file}, SHA-256 {found.sha256[:16]}…")
