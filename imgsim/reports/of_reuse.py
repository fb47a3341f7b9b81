"""Reports of re-use: evidence, groups, and what scholars say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.networks import models
from imgsim.reuse import calibration as calibrating
from imgsim.reuse import groups
from imgsim.similarity import neighbours
from imgsim.work import Progress, silent

GROUPS_BY = ("span", "books", "places", "images")


def evidence(connection: Connection, *, relation: str | None = None) -> Table:
    """Returns the verified pairs, the surest first, with their books.

    Args:
        relation: only pairs with this relation, such as `same block`.
    """
    return table(
        connection,
        """
        select
            name, other_name, relation, probability, copy_probability, unrelated_probability,
            same_group, mirrored, angle, scale, inliers, coverage, other_coverage, correlation,
            ecco_full_title, publication_year, publication_place, other_ecco_full_title,
            other_publication_year, other_publication_place, reason
        from imgsim.verification_ecco
        where %(relation)s::text is null or relation = %(relation)s
        order by probability desc, inliers desc, image_id, other_id
        """,
        {"relation": relation},
    )


def reuse_groups(connection: Connection, *, by: str = "span", least_books: int = 0) -> Table:
    """Returns groups of re-use: how many images, books and places, first and last year.

    Args:
        by: one of `GROUPS_BY`; the greatest comes first.
        least_books: only groups of at least so many known books.

    Raises:
        ImgsimError: groups have not been built, or cannot be sorted by that.
    """
    groups.status(connection)  # which says what to do where no groups have been built
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
    """Returns the members of all groups, or of one, in the order of their years.

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
    """Returns the pairs that scholars have judged, disputed ones first, with their books."""
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
    """Returns precision and recall of each score at each threshold, on labelled pairs.

    Args:
        labels: a file with the columns image, other, same; by default what scholars agree on.
        precision: what a proposed threshold must reach.

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
