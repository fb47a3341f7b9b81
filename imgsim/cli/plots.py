"""`imgsim plot …`: figures for the screen, the article and the slide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.arguments import Similarity, two_models_option
from imgsim.cli.groups import warn_of_older
from imgsim.cli.helping import Commands
from imgsim.cli.output import warn_untrained
from imgsim.cli.place import Place, pass_place
from imgsim.cli.progress import progress_line
from imgsim.settings import NEIGHBOURS, SHARED, UNTRAINED

if TYPE_CHECKING:
    from imgsim.plots.figures import Drawn

Command = TypeVar("Command", bound=Callable[..., Any])

COLOURS = ("publication_decade", "sub_category", "publication_place", "ecco_id")


@dataclass(frozen=True)
class Paper:
    """Where a figure goes and how wide it is printed."""

    output: str | None
    width: str
    force: bool

    def destination(self, default: str) -> Path:
        """Returns the file to write, checked before any work is done."""
        from imgsim import plots

        return plots.destination(self.output, default, force=self.force)


def paper(width: str) -> Callable[[Command], Command]:
    """The options of every figure, given to the command as one `Paper`; `width` is the default."""

    def decorate(command: Command) -> Command:
        import functools

        @functools.wraps(command)
        def with_paper(*args: Any, **kwargs: Any) -> Any:
            names = ("output", "width", "force")
            return command(*args, paper=Paper(*(kwargs.pop(name) for name in names)), **kwargs)

        options = (
            click.option("--force", is_flag=True, help="Overwrite an existing file."),
            click.option(
                "--width",
                type=click.Choice(["single", "double"]),
                default=width,
                show_default=True,
                help="A journal's column of 84 mm, or two of 174 mm.",
            ),
            click.option(
                *("-o", "--output"),
                metavar="FILE",
                help="Ends in .png, .svg or .pdf.  [default: a .png here, named for what it shows]",
            ),
        )
        for option in options:
            with_paper = option(with_paper)
        return with_paper  # type: ignore[return-value]

    return decorate


models_option = click.option(
    "--model",
    "model_names",
    multiple=True,
    metavar="NAME",
    help="Repeat for several.  [default: all]",
)
model_option = click.option(
    "--model", "model", metavar="NAME", help="[default: resnet18-print, or what there is]"
)


def threshold_option(default: str = "") -> Callable[[Command], Command]:
    """Adds the option: how similar a picture must be to be shown; `default` is for `--help`."""
    told = f"  [default: {default}]" if default else ""
    return click.option(
        "--threshold",
        type=Similarity(-1, 1),
        help=f"Show pictures with at least this similarity.{told}",
    )


@click.group(cls=Commands)
def plot() -> None:
    """Draw figures, as PNG, SVG or PDF, and print the path of the file."""


@plot.command()
@click.argument("image")
@click.option("-k", type=click.IntRange(1, 60), default=5, show_default=True, help="How many.")
@models_option
@click.option("--other-documents-only", is_flag=True, help="Only pictures of other books.")
@paper("double")
@pass_place
def grid(place: Place, /, image: str, paper: Paper, **given: Any) -> None:
    """IMAGE and the pictures most like it, by each model.

    With score, name, year and book. IMAGE is a stored picture's name, path or id, or any image
    file.
    """
    _draw(place, "grid", paper, f"grid-{Path(image).stem}", image=image, **given)


@plot.command()
@model_option
@click.option("--seed", type=int, default=1, show_default=True, help="Which images to draw from.")
@paper("double")
@pass_place
def ladder(place: Place, /, paper: Paper, **given: Any) -> None:
    """What a score means: pairs at 0.5, 0.6, … 1.0 and the model's own threshold."""
    _draw(place, "ladder", paper, "ladder", **given)


@plot.command("map")
@click.argument("image", required=False)
@threshold_option("the model's own")
@models_option
@click.option(
    "--colour-by",
    type=click.Choice(COLOURS),
    help="What the colours stand for.",
)
@click.option("--method", type=click.Choice(["pca", "umap"]), default="pca", show_default=True)
@paper("double")
@pass_place
def map_(place: Place, /, image: str | None, paper: Paper, **given: Any) -> None:
    """All pictures in two dimensions.

    IMAGE, if given, is black, and those like it are red.
    """
    name = f"map-{Path(image).stem}" if image else "map"
    _draw(place, "map", paper, name, image=image, **given)


@plot.command()
@click.argument("image")
@click.option(
    "-k", type=click.IntRange(1, 60), help="How many.  [default: 8, or all of --threshold]"
)
@threshold_option()
@model_option
@click.option("--other-documents-only", is_flag=True, help="Only pictures of other books.")
@paper("double")
@pass_place
def around(place: Place, /, image: str, paper: Paper, **given: Any) -> None:
    """Draw the pictures like IMAGE around it, the nearer the more alike."""
    _draw(place, "around", paper, f"around-{Path(image).stem}", image=image, **given)


@plot.command()
@click.option("-k", type=click.IntRange(1, 50), default=SHARED, show_default=True)
@two_models_option
@paper("single")
@pass_place
def overlap(place: Place, /, paper: Paper, **given: Any) -> None:
    """How far two models agree, as bars.

    That is, how many images share how many of their k nearest. In psql:
    select * from imgsim.overlap(k => 4);
    """
    name = "-".join(("overlap", *given["model_names"]))
    _draw(place, "overlap", paper, name, on_progress=progress_line("neighbours of"), **given)


@plot.command()
@models_option
@click.option(
    "--mark",
    type=Similarity(0, 1),
    help="The threshold to mark.  [default: each model's own]",
)
@click.option(
    "-k",
    type=click.IntRange(1, 1000),
    default=NEIGHBOURS,
    show_default=True,
    help="Count the pairs in neighbour lists of this length.",
)
@paper("double")
@pass_place
def threshold(place: Place, /, paper: Paper, **given: Any) -> None:
    """What choosing a threshold means.

    At each, how many images have a neighbour, and how many pairs there are. In psql:
    select * from imgsim.threshold_counts('resnet18-print');
    """
    progress = progress_line("neighbours of")
    _draw(place, "threshold", paper, "threshold", on_progress=progress, **given)


@plot.command()
@click.argument("image")
@threshold_option("the model's own")
@model_option
@click.option("--other-documents-only", is_flag=True, help="Only pictures of other books.")
@paper("double")
@pass_place
def timeline(place: Place, /, image: str, paper: Paper, **given: Any) -> None:
    """IMAGE and all that are like it, by year."""
    _draw(place, "timeline", paper, f"timeline-{Path(image).stem}", image=image, **given)


@plot.command()
@click.argument("image")
@click.argument("other", metavar="IMAGE")
@click.option("--turned", is_flag=True, help="Also match rotated pictures.")
@paper("double")
@pass_place
def overlay(place: Place, /, image: str, other: str, paper: Paper, **given: Any) -> None:
    """Two pictures laid over each other: one red, one cyan, and black where both have ink.

    Also their matches, where their lines differ, and what they are to each other. Each is a stored
    picture's name, path or id, or any image file. Nothing is stored: that is what imgsim verify
    does.
    """
    name = f"overlay-{Path(image).stem}-{Path(other).stem}"
    _draw(place, "overlay", paper, name, image=image, other=other, **given)


@plot.command()
@click.argument("group_id", metavar="ID")
@click.option(
    "--at-most",
    type=click.IntRange(1, 240),
    default=24,
    show_default=True,
    help="How many of its pictures to show, earliest first.",
)
@paper("double")
@pass_place
def group(place: Place, /, group_id: str, paper: Paper, **given: Any) -> None:
    """The pictures of a group of re-use, aligned, by year.

    ID is its number in imgsim report groups. In psql:
    select * from imgsim.reuse_event where group_id = 1 order by appearance;
    """
    _draw(place, "group", paper, f"group-{group_id}", of_groups=True, group_id=group_id, **given)


@plot.command()
@click.option(
    "--places",
    type=click.IntRange(1, 20),
    help="How many places to name.  [default: 9, or 4 in a single column]",
)
@paper("double")
@pass_place
def reuse(place: Place, /, paper: Paper, **given: Any) -> None:
    """How many pictures appear again, by decade, and from where to where.

    In psql: select * from imgsim.reuse_decade; select * from imgsim.reuse_flow;
    """
    _draw(place, "reuse", paper, "reuse", of_groups=True, **given)


def _draw(
    place: Place,
    figure: str,
    paper: Paper,
    default_name: str,
    of_groups: bool = False,
    **given: Any,
) -> None:
    """Draws one figure and writes it; the file's place is checked before any work is done."""
    from imgsim import plots
    from imgsim.plots import figures

    # Before the work: a figure may take minutes, and its place may be taken.
    target = paper.destination(default_name)
    with place.connect() as connection:
        drawn: Drawn = figures.FIGURES[figure](connection, width=paper.width, **given)
        if of_groups:
            warn_of_older(connection)
    for model in drawn.models:
        if model.weights == UNTRAINED:
            warn_untrained(model.name)
    plots.save(drawn.figure, target, target.stem)
    click.echo(target)
