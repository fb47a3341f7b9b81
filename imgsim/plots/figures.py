"""Every figure by its name: what it shows is gathered from the store, then drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgsim import plots
from imgsim.database.connection import Connection
from imgsim.errors import NotFoundError
from imgsim.networks import models, thresholds
from imgsim.settings import NEIGHBOURS, SHARED
from imgsim.similarity import neighbours, search
from imgsim.work import Progress, silent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


GROUP_ID = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class Drawn:
    """A figure, and the models whose vectors it shows."""

    figure: Figure
    models: tuple[models.Model, ...]


def grid(
    connection: Connection,
    image: str,
    *,
    k: int = 5,
    model_names: Sequence[str] = (),
    other_documents_only: bool = False,
    width: str = "double",
) -> Drawn:
    """Returns an image and the k most like it, a row for each model."""
    chosen = _chosen(connection, model_names)
    question = search.Question(image, k, other_documents_only=other_documents_only)
    rankings = [plots.ranking(connection, question, model) for model in chosen]
    return Drawn(plots.draw_grid(rankings, width), chosen)


def ladder(
    connection: Connection, *, model: str | None = None, seed: int = 1, width: str = "double"
) -> Drawn:
    """Returns pairs at similarities of 0.5, 0.6, … 1.0, to show what a score looks like."""
    (named,) = models.chosen(connection, [model] if model else [])
    pairs = 1 if width == "single" else 2
    rungs = plots.gather_ladder(connection, named, pairs, seed=seed)
    return Drawn(plots.draw_ladder(rungs, width), (named,))


def image_map(
    connection: Connection,
    image: str | None = None,
    *,
    threshold: float | None = None,
    model_names: Sequence[str] = (),
    colour_by: str | None = None,
    method: str = "pca",
    width: str = "double",
) -> Drawn:
    """Returns a map of all images in two dimensions, one of them and those like it marked.

    Without a threshold each model marks those that reach its own.

    Raises:
        NotFoundError: the image is not stored.
    """
    chosen = _chosen(connection, model_names)
    rankings = {}
    if image is not None:
        # The map is made of stored vectors: a file that is not stored has no place on it.
        if search.find_query(connection, image).image_id is None:
            raise NotFoundError(
                f"cannot mark {image} on the map: it is not in the store",
                f"add it first: imgsim ingest {image}",
            )
        for model in chosen:
            least = thresholds.of(model, threshold).value
            question = search.Question(image, min_similarity=least)
            rankings[model.name] = plots.ranking(connection, question, model)
    drawn = plots.gather_map(connection, chosen, rankings, threshold, colour_by or "", method)
    return Drawn(plots.draw_map(drawn, width), chosen)


def around(
    connection: Connection,
    image: str,
    *,
    k: int | None = None,
    threshold: float | None = None,
    model: str | None = None,
    other_documents_only: bool = False,
    width: str = "double",
) -> Drawn:
    """Returns an image with those like it around it, at their distance."""
    (named,) = models.chosen(connection, [model] if model else [])
    asked = 8 if k is None and threshold is None else k
    question = search.Question(image, asked, threshold, other_documents_only=other_documents_only)
    return Drawn(plots.draw_around(plots.ranking(connection, question, named), width), (named,))


def overlap(
    connection: Connection,
    *,
    k: int = SHARED,
    model_names: Sequence[str] = (),
    width: str = "single",
    on_progress: Progress = silent,
) -> Drawn:
    """Returns bars: how many images share how many of their k nearest between two models."""
    a, b = models.chosen_pair(connection, model_names)
    neighbours.bring_up_to_date(connection, [a, b], k, on_progress)
    return Drawn(plots.draw_overlap(plots.overlap_table(connection, k, a, b), width), (a, b))


def threshold(
    connection: Connection,
    *,
    model_names: Sequence[str] = (),
    mark: float | None = None,
    k: int = NEIGHBOURS,
    width: str = "double",
    on_progress: Progress = silent,
) -> Drawn:
    """Returns how many images have a neighbour at each threshold, and how many pairs there are.

    Args:
        mark: the threshold to mark; by default each model's own.
    """
    chosen = _chosen(connection, model_names)
    neighbours.bring_up_to_date(connection, chosen, k, on_progress)
    counts = {model: plots.threshold_counts(connection, model) for model in chosen}
    return Drawn(plots.draw_threshold(counts, width, mark), chosen)


def timeline(
    connection: Connection,
    image: str,
    *,
    threshold: float | None = None,
    model: str | None = None,
    other_documents_only: bool = False,
    width: str = "double",
) -> Drawn:
    """Returns an image and all images like it, by the year of their books.

    Without a threshold all that reach the model's own.
    """
    (named,) = models.chosen(connection, [model] if model else [])
    least = thresholds.of(named, threshold).value
    question = search.Question(
        image, min_similarity=least, other_documents_only=other_documents_only
    )
    ranking = plots.ranking(connection, question, named)
    return Drawn(plots.draw_timeline(ranking, threshold, width), (named,))


def overlay(
    connection: Connection, image: str, other: str, *, turned: bool = False, width: str = "double"
) -> Drawn:
    """Returns two pictures laid on each other, their relation, and where they differ."""
    gathered = plots.gather_overlay(connection, image, other, turned=turned)
    return Drawn(plots.draw_overlay(gathered, width), ())


def group(
    connection: Connection, group_id: str, *, at_most: int = 24, width: str = "double"
) -> Drawn:
    """Returns the pictures of a group of re-use, aligned, by the year of their books.

    Raises:
        NotFoundError: there is no such group.
    """
    # As text: a number beyond bigint would be refused by the server in its own words.
    if not GROUP_ID.fullmatch(group_id):
        raise NotFoundError(
            f"there is no group {group_id!r}: groups are numbered",
            "list the groups: imgsim report groups",
        )
    return Drawn(
        plots.draw_group(plots.gather_group(connection, int(group_id), at_most), width), ()
    )


def reuse(connection: Connection, *, places: int | None = None, width: str = "double") -> Drawn:
    """Returns how many pictures appear again in each decade, and between which places."""
    return Drawn(plots.draw_reuse(plots.gather_reuse(connection), width, places), ())


FIGURES: dict[str, Callable[..., Drawn]] = {
    "around": around,
    "grid": grid,
    "group": group,
    "ladder": ladder,
    "map": image_map,
    "overlap": overlap,
    "overlay": overlay,
    "reuse": reuse,
    "threshold": threshold,
    "timeline": timeline,
}
"""Every figure by its name on the command line and in `Store.plot`."""


def _chosen(connection: Connection, names: Sequence[str]) -> tuple[models.Model, ...]:
    every = [model.name for model in models.stored(connection)]
    return tuple(models.chosen(connection, names or every))
