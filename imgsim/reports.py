"""Calls the reports in SQL; the lists and pairs they read are brought up to date first."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from imgsim.bibliography import identifiers
from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.networks import models
from imgsim.reuse import calibration as calibrating
from imgsim.reuse import groups
from imgsim.settings import NEIGHBOURS, SHARED, THRESHOLD
from imgsim.similarity import neighbours, pairs
from imgsim.work import Progress, silent

LOWEST_COUNTED = 0.80
MOST_PAIRS_COUNTED = 5_000_000
GROUPS_BY = ("span", "books", "places", "images")
TEXT_COLUMNS = (
    *("name", "path", "ecco_id", "page_id", "estc_id", "ecco_full_title", "work_id"),
    *("publication_place", "publication_country", "document_type", "sub_category", "authors"),
)
NUMBER_COLUMNS = (
    *("image_id", "width", "height", "page_number", "illustration"),
    *("publication_year", "publication_decade"),
)
NORMAL_FORMS: dict[str, Callable[[str], str | None]] = {
    "ecco_id": identifiers.ecco_id,
    "estc_id": identifiers.estc_id,
}
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|<>|!=|=|<|>|~)\s*(.*?)\s*", re.DOTALL)


def overlap(
    connection: Connection,
    *,
    k: int = SHARED,
    model_names: Sequence[str] = (),
    where: Sequence[str] = (),
    by_image: bool = False,
    on_progress: Progress = silent,
) -> Table:
    """How many images share k, k - 1, … 0 of their k nearest between two models.

    Args:
        where: conditions such as `publication_decade=1750`; only images that meet all are counted.
        by_image: which neighbours are shared, image by image, instead.
    """
    a, b = _two(connection, model_names, k, on_progress)
    function = "overlap_by_image" if by_image else "overlap"
    return table(
        connection,
        f"select * from imgsim.{function}(%(k)s, %(a)s, %(b)s, %(only)s::bigint[])",  # noqa: S608
        {"k": k, "a": a, "b": b, "only": _image_ids(connection, where) if where else None},
    )


def agreement(
    connection: Connection,
    *,
    k: int = SHARED,
    model_names: Sequence[str] = (),
    on_progress: Progress = silent,
) -> Table:
    """Rank by rank, how often two models agree, and which images to look at."""
    a, b = _two(connection, model_names, k, on_progress)
    return table(
        connection,
        "select * from imgsim.agreement(%(k)s, %(a)s, %(b)s)",
        {"k": k, "a": a, "b": b},
    )


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
    """The nearest of every image, both sides with their books; see `sql/neighbours.sql`."""
    chosen = _one(connection, model)
    filtered = other_documents_only or other_works_only or earlier_only
    if threshold is not None:
        pairs.bring_up_to_date(connection, [chosen], threshold, on_progress)
    elif not filtered:
        neighbours.bring_up_to_date(connection, [chosen], k or 10, on_progress)
    return table(
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


def threshold(
    connection: Connection,
    *,
    model_names: Sequence[str] = (),
    on_progress: Progress = silent,
) -> Table:
    """At each threshold, how many images have a neighbour, and how many pairs, for each model.

    Where a model has too many pairs to store, they are counted in the neighbour lists, and the
    column `complete` says so.
    """
    chosen = models.chosen(connection, model_names) if model_names else models.stored(connection)
    neighbours.bring_up_to_date(connection, chosen, 10, on_progress)
    for model in chosen:
        try:
            pairs.bring_up_to_date(
                connection, [model], LOWEST_COUNTED, on_progress, MOST_PAIRS_COUNTED
            )
        except pairs.TooManyPairsError:
            continue
    return table(
        connection,
        """
        select m.name as model, c.*
        from unnest(%(names)s::text[]) with ordinality as m (name, place)
        cross join lateral imgsim.threshold_counts(m.name) c
        order by m.place, c.threshold
        """,
        {"names": [model.name for model in chosen]},
    )


def documents(
    connection: Connection,
    *,
    model: str | None = None,
    threshold: float = THRESHOLD,
    on_progress: Progress = silent,
) -> Table:
    """Per book: illustrations, how many re-appear in another, first and last year elsewhere."""
    return _reappearing(connection, "documents", model, threshold, on_progress)


def decades(
    connection: Connection,
    *,
    model: str | None = None,
    threshold: float = THRESHOLD,
    on_progress: Progress = silent,
) -> Table:
    """Per decade: books, illustrations, and how many were seen in another, earlier or later."""
    return _reappearing(connection, "decades", model, threshold, on_progress)


def coverage(connection: Connection) -> Table:
    """How many images have a book in the bibliography, how many books have images."""
    return table(connection, "select * from imgsim.coverage", {})


def failures(connection: Connection) -> Table:
    """The files that could not be taken in, and why."""
    return table(connection, "select * from imgsim.failure", {})


def recall(
    connection: Connection,
    *,
    model_names: Sequence[str] = (),
    k: int = NEIGHBOURS,
    sample: int = 200,
) -> Table:
    """How many of the true k nearest the HNSW index finds, and how long it takes."""
    chosen = models.chosen(connection, model_names) if model_names else models.stored(connection)
    return table(
        connection,
        """
        select m.name as model, r.*
        from unnest(%(names)s::text[]) with ordinality as m (name, place)
        cross join lateral imgsim.recall(m.name, %(k)s, %(sample)s) r
        order by m.place, r.ef_search
        """,
        {"names": [model.name for model in chosen], "k": k, "sample": sample},
    )


def evidence(connection: Connection, *, relation: str | None = None) -> Table:
    """The pairs that were verified, the surest first, with their books.

    Args:
        relation: only pairs that are this to each other, such as `same block`.
    """
    return table(
        connection,
        """
        select
            name, other_name, relation, probability, mirrored, inliers, coverage, other_coverage,
            correlation, ecco_full_title, publication_year, publication_place,
            other_ecco_full_title, other_publication_year, other_publication_place, reason
        from imgsim.verification_ecco
        where %(relation)s::text is null or relation = %(relation)s
        order by probability desc, inliers desc, image_id, other_id
        """,
        {"relation": relation},
    )


def reuse_groups(connection: Connection, *, by: str = "span", least_books: int = 0) -> Table:
    """Groups of re-use: how many images, books and places, first and last year.

    Args:
        by: what comes first: the greatest of one of `GROUPS_BY`.
        least_books: only groups of so many books that are known.

    Raises:
        ImgsimError: they have not been built, or cannot be sorted so.
    """
    groups.status(connection)
    if by not in GROUPS_BY:
        raise ImgsimError(f"cannot sort groups by {by}", f"choose from {', '.join(GROUPS_BY)}")
    return table(
        connection,
        f"""
        select *
        from imgsim.reuse_group
        where books >= %(least)s
        order by {by} desc nulls last, images desc, group_id
        """,  # noqa: S608
        {"least": least_books},
    )


def reuse(connection: Connection, *, group: int | None = None) -> Table:
    """The members of groups, or of one, in the order of their years.

    Raises:
        ImgsimError: groups have not been built.
        NotFoundError: there is no such group.
    """
    groups.status(connection)
    answer = table(
        connection,
        """
        select
            group_id, appearance, name, publication_year, gap, is_first, is_last,
            ecco_full_title, publication_place, authors, printer, ecco_id, page_number
        from imgsim.reuse_event
        where %(group)s::bigint is null or group_id = %(group)s
        order by group_id, appearance
        """,
        {"group": group},
    )
    if group is not None and not answer.rows:
        raise NotFoundError(f"there is no group {group}", "see them with: imgsim report groups")
    return answer


def verdicts(connection: Connection, *, disputed: bool = False) -> Table:
    """The pairs that scholars have judged, with their books; the disputed first, or only these."""
    return table(
        connection,
        "select * from imgsim.verdict_pair_ecco where disputed or not %(disputed)s",
        {"disputed": disputed},
    )


def calibration(
    connection: Connection,
    *,
    labels: calibrating.Labels | str | Path | None = None,
    precision: float = calibrating.PRECISION,
    step: float = calibrating.STEP,
    model_names: Sequence[str] = (),
    on_progress: Progress = silent,
) -> Table:
    """Precision and recall of each score at each threshold, measured on labelled pairs.

    Args:
        labels: a file with the columns image, other, same; by default what scholars agree on.
        precision: what a proposed threshold is to reach.

    Raises:
        ImgsimError: there is nothing to measure with, or a row of the file cannot be used; to do
            without such rows, give what `calibration.read_labels` makes of it.
    """
    chosen = models.chosen(connection, model_names) if model_names else models.stored(connection)
    read = labels
    if isinstance(read, str | Path):
        read = calibrating.read_labels(connection, Path(read))
        calibrating.refuse_unusable(read)
    neighbours.bring_up_to_date(connection, chosen, 10, on_progress)
    return calibrating.measure(connection, chosen, precision, step, read)


def nearest_names(connection: Connection) -> dict[str, dict[str, str]]:
    """For each model and each image's name, the name of its nearest, from the stored lists."""
    answer = table(
        connection, "select model, name, other_name from imgsim.neighbour_ecco where rank = 1", {}
    )
    nearest: dict[str, dict[str, str]] = {}
    for model, name, other in answer.rows:
        nearest.setdefault(model, {})[name] = other
    return nearest


REPORTS: dict[str, Callable[..., Table]] = {
    "agreement": agreement,
    "calibration": calibration,
    "coverage": coverage,
    "decades": decades,
    "documents": documents,
    "evidence": evidence,
    "failures": failures,
    "groups": reuse_groups,
    "neighbours": neighbour_rows,
    "overlap": overlap,
    "recall": recall,
    "reuse": reuse,
    "threshold": threshold,
    "verdicts": verdicts,
}
"""Every report by its name on the command line and in `Store.report`."""


def _one(connection: Connection, name: str | None) -> models.Model:
    return models.chosen(connection, [name] if name else [])[0]


def _two(
    connection: Connection, names: Sequence[str], k: int, on_progress: Progress
) -> tuple[str, str]:
    chosen = models.chosen_pair(connection, names)
    neighbours.bring_up_to_date(connection, chosen, k, on_progress)
    return chosen[0].name, chosen[1].name


def _reappearing(
    connection: Connection,
    function: str,
    model: str | None,
    threshold: float,
    on_progress: Progress,
) -> Table:
    chosen = _one(connection, model)
    pairs.bring_up_to_date(connection, [chosen], threshold, on_progress)
    return table(
        connection,
        f"select * from imgsim.{function}(%(model)s, %(threshold)s)",  # noqa: S608
        {"model": chosen.name, "threshold": threshold},
    )


def _image_ids(connection: Connection, where: Sequence[str]) -> list[int]:
    """The images that meet conditions of the form COLUMN OPERATOR VALUE, on `imgsim.image_ecco`.

    Raises:
        ImgsimError: a condition cannot be read, or its value is no number where one is needed.
        NotFoundError: no image meets them.
    """
    clauses: list[str] = []
    values: dict[str, Any] = {}
    for number, condition in enumerate(where):
        column, operator, value = _parsed(condition)
        clauses.append(f"{column} {operator} %(v{number})s")
        values[f"v{number}"] = value
    answer = table(
        connection,
        f"select image_id from imgsim.image_ecco where {' and '.join(clauses)}",  # noqa: S608
        values,
    )
    if not answer.rows:
        raise NotFoundError(
            f"no image meets {' and '.join(where)}", "see what is loaded: imgsim report coverage"
        )
    return [row[0] for row in answer.rows]


def _parsed(condition: str) -> tuple[str, str, str | int]:
    match = CONDITION.fullmatch(condition)
    columns = (*NUMBER_COLUMNS, *TEXT_COLUMNS)
    if match is None or match[1] not in columns:
        raise ImgsimError(
            f"cannot read the condition {condition!r}",
            f"write COLUMN=VALUE (or <, <=, >, >=, <>, ~) with one of: {', '.join(columns)}",
        )
    column, operator, text = match.groups()
    if column in TEXT_COLUMNS:
        return column, operator, NORMAL_FORMS.get(column, str)(text) or text
    if not re.fullmatch(r"-?\d{1,18}", text) or operator == "~":
        raise ImgsimError(
            f"cannot use the condition {condition!r}: {column} is a number",
            f"give one such as {column}>=1750",
        )
    return column, operator, int(text)
