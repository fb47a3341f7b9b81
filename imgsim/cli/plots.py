"""`imgsim plot …`: figures for the screen, the article and the slide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from imgsim.cli.neighbours import fill
from imgsim.cli.output import warn
from imgsim.cli.place import Place, pass_place
from imgsim.settings import UNTRAINED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from imgsim.models import Model

Command = TypeVar("Command", bound=Callable[..., Any])

COLOURS = ("publication_decade", "sub_category", "publication_place", "ecco_id")


@dataclass(frozen=True)
class Paper:
    """Where a figure goes and how wide it is printed."""

    output: str | None
    width: str
    overwrite: bool

    def destination(self, default: str) -> Path:
        """The file to write, seen to before any work is done."""
        from imgsim import plots

        return plots.destination(self.output, default, overwrite=self.overwrite)


def paper(width: str) -> Callable[[Command], Command]:
    """The options of every figure, given to the command as one `Paper`; `width` is the default."""

    def decorate(command: Command) -> Command:
        import functools

        @functools.wraps(command)
        def with_paper(*args: Any, **kwargs: Any) -> Any:
            names = ("output", "width", "overwrite")
            return command(*args, paper=Paper(*(kwargs.pop(name) for name in names)), **kwargs)

        options = (
            click.option("--overwrite", is_flag=True, help="Replace the file if it is there."),
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
    "--model", "names", multiple=True, metavar="NAME", help="Repeat for several.  [default: all]"
)
model_option = click.option(
    "--model", "name", metavar="NAME", help="[default: resnet50, or whichever there is]"
)


def threshold_option(default: float | None) -> Callable[[Command], Command]:
    """How similar a picture must be to be shown."""
    return click.option(
        "--threshold",
        type=click.FloatRange(-1, 1),
        default=default,
        show_default=default is not None,
        help="All with at least this similarity (cosine).",
    )


@click.group()
def plot() -> None:
    """Figures, as PNG, SVG or PDF; the path of the file is printed."""


@plot.command()
@click.argument("image")
@click.option("-k", type=click.IntRange(1, 60), default=5, show_default=True, help="How many.")
@models_option
@click.option("--other-documents-only", is_flag=True, help="Leave out the picture's own book.")
@paper("double")
@pass_place
def grid(
    place: Place,
    image: str,
    k: int,
    names: tuple[str, ...],
    other_documents_only: bool,
    paper: Paper,
) -> None:
    """IMAGE and the pictures most like it, by each model.

    With score, name, year and book. IMAGE is a stored picture's name, path or id, or any image
    file.
    """
    from imgsim import models, plots, search

    target = paper.destination(f"grid-{Path(image).stem}")
    question = search.Question(image, k, other_documents_only=other_documents_only)
    with place.connect() as connection:
        chosen = models.chosen(connection, names or _all(models.stored(connection)))
        rankings = [plots.ranking(connection, question, model) for model in chosen]
    _write(plots.grid(rankings, paper.width), target, chosen)


@plot.command()
@model_option
@click.option("--seed", type=int, default=1, show_default=True, help="Which images to draw from.")
@paper("double")
@pass_place
def ladder(place: Place, name: str | None, seed: int, paper: Paper) -> None:
    """What a score means: pairs at 0.5, 0.6, … 1.0."""
    from imgsim import models, plots

    target = paper.destination("ladder")
    with place.connect() as connection:
        [model] = models.chosen(connection, [name] if name else [])
        pairs = 1 if paper.width == "single" else 2
        rungs = plots.gather_ladder(connection, model, pairs, seed=seed)
        figure = plots.ladder(rungs, paper.width)
    _write(figure, target, [model])


@plot.command("map")
@click.argument("image", required=False)
@threshold_option(0.94)
@models_option
@click.option("--colour-by", type=click.Choice(COLOURS), help="What of the book the colours tell.")
@click.option("--method", type=click.Choice(["pca", "umap"]), default="pca", show_default=True)
@paper("double")
@pass_place
def map_(
    place: Place,
    image: str | None,
    threshold: float,
    names: tuple[str, ...],
    colour_by: str | None,
    method: str,
    paper: Paper,
) -> None:
    """All pictures in two dimensions.

    IMAGE, if given, is black, and those like it are red.
    """
    from imgsim import models, plots, search
    from imgsim.errors import NotFoundError

    target = paper.destination(f"map-{Path(image).stem}" if image else "map")
    rankings = {}
    with place.connect() as connection:
        chosen = models.chosen(connection, names or _all(models.stored(connection)))
        if image is not None:
            if search.find_query(connection, image).image_id is None:
                raise NotFoundError(
                    f"{image} is not in the store, and the map shows what is",
                    f"take it in first: imgsim ingest {image}",
                )
            question = search.Question(image, min_similarity=threshold)
            rankings = {m.name: plots.ranking(connection, question, m) for m in chosen}
        drawn = plots.gather_map(connection, chosen, rankings, threshold, colour_by or "", method)
    _write(plots.image_map(drawn, paper.width), target, chosen)


@plot.command()
@click.argument("image")
@click.option(
    "-k", type=click.IntRange(1, 60), help="How many.  [default: 8, or all of --threshold]"
)
@threshold_option(None)
@model_option
@click.option("--other-documents-only", is_flag=True, help="Leave out the picture's own book.")
@paper("double")
@pass_place
def around(
    place: Place,
    image: str,
    k: int | None,
    threshold: float | None,
    name: str | None,
    other_documents_only: bool,
    paper: Paper,
) -> None:
    """Those like IMAGE, at their distance around it."""
    from imgsim import models, plots, search

    target = paper.destination(f"around-{Path(image).stem}")
    asked = k or (8 if threshold is None else None)
    question = search.Question(image, asked, threshold, other_documents_only=other_documents_only)
    with place.connect() as connection:
        [model] = models.chosen(connection, [name] if name else [])
        ranking = plots.ranking(connection, question, model)
    _write(plots.around(ranking, paper.width), target, [model])


@plot.command()
@click.option("-k", type=click.IntRange(1, 50), default=4, show_default=True)
@click.option("--model", "names", nargs=2, default=("resnet18", "resnet50"), show_default=True)
@paper("single")
@pass_place
def overlap(place: Place, k: int, names: tuple[str, str], paper: Paper) -> None:
    """How far two models agree, as bars.

    That is, how many images share how many of their k nearest. In psql:
    select * from imgsim.overlap(k => 4);
    """
    from imgsim import models, plots

    target = paper.destination(f"overlap-{names[0]}-{names[1]}")
    with place.connect() as connection:
        model_a, model_b = (models.named(connection, name) for name in names)
        fill(connection, [model_a, model_b], k)
        table = plots.overlap_table(connection, k, model_a, model_b)
    _write(plots.overlap(table, paper.width), target, [model_a, model_b])


@plot.command()
@models_option
@click.option("--mark", type=click.FloatRange(0, 1), default=0.94, show_default=True)
@click.option(
    "-k",
    type=click.IntRange(1, 1000),
    default=10,
    show_default=True,
    help="Count pairs in lists of this length; longer ones hold more of them.",
)
@paper("double")
@pass_place
def threshold(place: Place, names: tuple[str, ...], mark: float, k: int, paper: Paper) -> None:
    """What choosing a threshold means.

    At each, how many images have a neighbour, and how many pairs there are. In psql:
    select * from imgsim.threshold_counts('resnet50');
    """
    from imgsim import models, plots

    target = paper.destination("threshold")
    with place.connect() as connection:
        chosen = models.chosen(connection, names or _all(models.stored(connection)))
        fill(connection, chosen, k)
        counts = {model: plots.threshold_counts(connection, model) for model in chosen}
    _write(plots.threshold(counts, paper.width, mark), target, chosen)


@plot.command()
@click.argument("image")
@threshold_option(0.94)
@model_option
@click.option("--other-documents-only", is_flag=True, help="Leave out the picture's own book.")
@paper("double")
@pass_place
def timeline(
    place: Place,
    image: str,
    threshold: float,
    name: str | None,
    other_documents_only: bool,
    paper: Paper,
) -> None:
    """IMAGE and all that are like it, by year."""
    from imgsim import models, plots, search

    target = paper.destination(f"timeline-{Path(image).stem}")
    question = search.Question(
        image, min_similarity=threshold, other_documents_only=other_documents_only
    )
    with place.connect() as connection:
        [model] = models.chosen(connection, [name] if name else [])
        ranking = plots.ranking(connection, question, model)
    _write(plots.timeline(ranking, threshold, paper.width), target, [model])


def _all(stored: Sequence[Model]) -> list[str]:
    return [model.name for model in stored]


def _write(figure: Figure, target: Path, models: Sequence[Model]) -> None:
    from imgsim import plots

    for model in models:
        if model.weights == UNTRAINED:
            warn(f"{model.name} is untrained: its similarities mean nothing")
    plots.save(figure, target, target.stem)
    click.echo(target)
