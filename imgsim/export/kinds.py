"""Every export by its name: what is brought up to date for it, what it joins, and its formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from imgsim import export
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.export import joined, of_groups, of_likeness, of_verdicts
from imgsim.export.joined import Joined
from imgsim.formats import ARRAYS, GRAPHS, TABLES
from imgsim.formats.writing import ForSpreadsheets
from imgsim.networks import models, thresholds
from imgsim.networks.models import Model
from imgsim.networks.thresholds import Threshold
from imgsim.reuse import groups
from imgsim.settings import NEIGHBOURS
from imgsim.similarity import neighbours as lists
from imgsim.similarity import pairs as stored_pairs
from imgsim.work import Progress, silent


@dataclass(frozen=True)
class Exported:
    """What was exported: its title, the files and counts, and the model that it is by, if any."""

    title: str
    outcome: export.Outcome
    model: Model | None = None


@dataclass(frozen=True)
class Kind:
    """An export: the formats that can hold it, and what writes it.

    `of_groups` where it says what `imgsim group` has built, which may be older than the evidence.
    """

    formats: tuple[str, ...]
    write: Callable[..., Exported]
    of_groups: bool = False


def target(
    name: str,
    output: str | Path,
    *,
    format_: str | None = None,
    force: bool = False,
    bom: bool = False,
    spreadsheet_safe: bool = False,
) -> export.Target:
    """Returns where an export goes, seen to before anything is computed.

    Raises:
        ImgsimError: there is no such export, or the place and the format do not fit.
    """
    if name not in EXPORTS:
        raise ImgsimError(f"there is no export {name!r}", f"there are: {', '.join(EXPORTS)}")
    look = ForSpreadsheets(bom, spreadsheet_safe)
    return export.target(name, Path(output), format_, EXPORTS[name].formats, force, look)


def write(connection: Connection, name: str, where: export.Target, **options: object) -> Exported:
    """Writes an export by its name, with the options of its function here."""
    return EXPORTS[name].write(connection, where, **options)


def neighbours(
    connection: Connection,
    where: export.Target,
    *,
    model: str | None = None,
    k: int = NEIGHBOURS,
    threshold: float | None = None,
    other_documents_only: bool = False,
    on_progress: Progress = silent,
) -> Exported:
    """Writes the k nearest of every picture, with the books on both sides."""
    chosen = _model(connection, model)
    if not other_documents_only:
        lists.bring_up_to_date(connection, [chosen], k, on_progress, may_be_old=False)
    with export.one_moment(connection):
        rows = of_likeness.neighbour_lists(connection, chosen, k, threshold, other_documents_only)
        options = {"k": k, "threshold": threshold, "other_documents_only": other_documents_only}
        outcome = export.write(connection, rows, where, chosen, options)
    return Exported(rows.title, outcome, chosen)


def pairs(
    connection: Connection,
    where: export.Target,
    *,
    model: str | None = None,
    threshold: float | None = None,
    other_documents_only: bool = False,
    at_most: int = stored_pairs.MOST_PAIRS,
    on_progress: Progress = silent,
) -> Exported:
    """Writes every two pictures at or above a threshold, with the books on both sides."""
    chosen = _model(connection, model)
    least = _filled(connection, chosen, threshold, at_most, on_progress)
    with export.one_moment(connection):
        rows = of_likeness.like_pairs(connection, chosen, threshold, other_documents_only)
        options = _told(least) | {"other_documents_only": other_documents_only}
        outcome = export.write(connection, rows, where, chosen, options)
    return Exported(rows.title, outcome, chosen)


def groups_of_books(
    connection: Connection,
    where: export.Target,
    *,
    model: str | None = None,
    threshold: float | None = None,
    at_most: int = stored_pairs.MOST_PAIRS,
    on_progress: Progress = silent,
) -> Exported:
    """Writes which books share like pictures, and how many."""
    chosen = _model(connection, model)
    least = _filled(connection, chosen, threshold, at_most, on_progress)
    with export.one_moment(connection):
        rows = of_likeness.books_sharing(connection, chosen, threshold)
        outcome = export.write(connection, rows, where, chosen, _told(least))
    return Exported(rows.title, outcome, chosen)


def embeddings(
    connection: Connection, where: export.Target, *, model: str | None = None
) -> Exported:
    """Writes the vectors of a model, of unit length, in single precision."""
    chosen = _model(connection, model)
    with export.one_moment(connection):
        rows = joined.all_embeddings(connection, chosen)
        outcome = export.write(connection, rows, where, chosen)
    return Exported(rows.title, outcome, chosen)


def _all_of(rows_of: Callable[[Connection], Joined]) -> Callable[..., Exported]:
    """Returns what writes all there is of something, computing nothing."""

    def write_all(connection: Connection, where: export.Target) -> Exported:
        with export.one_moment(connection):
            rows = rows_of(connection)
            return Exported(rows.title, export.write(connection, rows, where))

    return write_all


def _of_groups(rows_of: Callable[[Connection], Joined]) -> Callable[..., Exported]:
    """Returns what writes something of the groups of re-use, with how they were built."""

    def write_groups(connection: Connection, where: export.Target) -> Exported:
        with export.one_moment(connection):
            status = groups.status(connection)
            rows = rows_of(connection)
            options = {name: getattr(status, name) for name in ("least", "tightness", "parts")}
            options["grouped_at"] = status.at
            return Exported(rows.title, export.write(connection, rows, where, options=options))

    return write_groups


def _model(connection: Connection, name: str | None) -> Model:
    (model,) = models.chosen(connection, [name] if name else [])
    return model


def _filled(
    connection: Connection,
    model: Model,
    threshold: float | None,
    at_most: int,
    on_progress: Progress,
) -> Threshold:
    """Brings the pairs of a model up to date, and returns the threshold they are taken from."""
    least = thresholds.of(model, threshold)
    stored_pairs.bring_up_to_date(
        connection, [model], least.value, on_progress, at_most, may_be_old=False
    )
    return least


def _told(threshold: Threshold) -> dict[str, object]:
    """Returns what the description of a file says of a threshold."""
    return {"threshold": threshold.value, "threshold_from": threshold.own or None}


EXPORTS: Mapping[str, Kind] = {
    "images": Kind(TABLES, _all_of(joined.all_images)),
    "documents": Kind(TABLES, _all_of(joined.all_documents)),
    "neighbours": Kind(TABLES + GRAPHS, neighbours),
    "pairs": Kind(TABLES + GRAPHS, pairs),
    "groups-of-books": Kind(TABLES + GRAPHS, groups_of_books),
    "groups": Kind(TABLES + GRAPHS, _of_groups(of_groups.reuse_groups), of_groups=True),
    "group-members": Kind(TABLES + GRAPHS, _of_groups(of_groups.reuse_events), of_groups=True),
    "group-books": Kind(TABLES + GRAPHS, _of_groups(of_groups.books_of_groups), of_groups=True),
    "verdicts": Kind(TABLES, _all_of(of_verdicts.all_verdicts)),
    "embeddings": Kind(ARRAYS, embeddings),
}
"""Every export by its name on the command line and in `Store.export`."""
