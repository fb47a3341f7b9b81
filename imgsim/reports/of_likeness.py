"""Reports of which pictures are alike: neighbours, thresholds, books and decades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imgsim.database.connection import Connection, Table, table
from imgsim.networks import models, thresholds
from imgsim.similarity import neighbours, pairs
from imgsim.work import Progress, silent

LOWEST_COUNTED = 0.80
MOST_PAIRS_COUNTED = 5_000_000


def neighbour_rows(
    connection: Connection,
    *,
    model: str | None = None,
    k: int | None = None,
    threshold: float | None = None,
    other_documents_only: bool = False,
    other_works_only: bool = False,
    earlier_only: bool = False,
    exact: bool = False,
    on_progress: Progress = silent,
) -> Table:
    """Returns the nearest of every image, both sides with their books (`sql/neighbours.sql`)."""
    chosen = _one(connection, model)
    # Stored lists know no filters: with one every picture is searched for, and they are not read.
    filtered = other_documents_only or other_works_only or earlier_only
    if threshold is not None:
        pairs.bring_up_to_date(connection, [chosen], threshold, on_progress)
    elif not filtered:
        neighbours.bring_up_to_date(connection, [chosen], k or 10, on_progress)
    answer = table(
        connection,
        """
        select *
        from imgsim.neighbours(
            %(model)s, %(k)s, %(threshold)s, %(documents)s, %(works)s, %(earlier)s, %(exact)s)
        """,
        {
            "model": chosen.name,
            "k": k,
            "threshold": threshold,
            "documents": other_documents_only,
            "works": other_works_only,
            "earlier": earlier_only,
            "exact": exact,
        },
    )
    return replace(answer, note=models.told(connection, chosen, model))


def threshold(
    connection: Connection,
    *,
    model_names: Sequence[str] = (),
    on_progress: Progress = silent,
) -> Table:
    """Returns how many images have a neighbour, and how many pairs, at each threshold by model.

    The model's own threshold is among them.

    Where a model has too many pairs to store, they are counted in the neighbour lists, and the
    column `complete` says so.
    """
    chosen = models.chosen(connection, model_names) if model_names else models.stored(connection)
    neighbours.bring_up_to_date(connection, chosen, 10, on_progress)
    # One by one: a model with too many pairs must not keep the others from being counted.
    for model in chosen:
        try:
            pairs.bring_up_to_date(
                connection,
                [model],
                min(LOWEST_COUNTED, model.threshold),
                on_progress,
                MOST_PAIRS_COUNTED,
            )
        except pairs.TooManyPairsError:
            continue
    answer = table(
        connection,
        """
        select m.name as model, c.*
        from unnest(%(names)s::text[]) with ordinality as m (name, place)
        cross join lateral imgsim.threshold_counts(m.name) c
        order by m.place, c.threshold
        """,
        {"names": [model.name for model in chosen]},
    )
    own = "; ".join(str(thresholds.of(model)) for model in chosen)
    return replace(answer, note=f"the models' own thresholds: {own}" if own else "")


def documents(
    connection: Connection,
    *,
    model: str | None = None,
    threshold: float | None = None,
    on_progress: Progress = silent,
) -> Table:
    """Returns per book: illustrations, how many re-appear elsewhere, first and last year there."""
    return _reappearing(connection, "documents", model, threshold, on_progress)


def decades(
    connection: Connection,
    *,
    model: str | None = None,
    threshold: float | None = None,
    on_progress: Progress = silent,
) -> Table:
    """Returns per decade: books, illustrations, how many were seen in earlier or later books."""
    return _reappearing(connection, "decades", model, threshold, on_progress)


def nearest_names(connection: Connection) -> dict[str, dict[str, str]]:
    """Returns by model and image name the name of the nearest, from the stored lists."""
    answer = table(
        connection, "select model, name, other_name from imgsim.neighbour_ecco where rank = 1", {}
    )
    nearest: dict[str, dict[str, str]] = {}
    for model, name, other in answer.rows:
        nearest.setdefault(model, {})[name] = other
    return nearest


def _one(connection: Connection, name: str | None) -> models.Model:
    return models.chosen(connection, [name] if name else [])[0]


def _reappearing(
    connection: Connection,
    function: str,
    model: str | None,
    threshold: float | None,
    on_progress: Progress,
) -> Table:
    chosen = _one(connection, model)
    least = thresholds.of(chosen, threshold)
    pairs.bring_up_to_date(connection, [chosen], least.value, on_progress)
    answer = table(
        connection,
        f"select * from imgsim.{function}(%(model)s, %(threshold)s)",  # noqa: S608
        {"model": chosen.name, "threshold": least.value},
    )
    return replace(answer, note=least.told or models.told(connection, chosen, model))
