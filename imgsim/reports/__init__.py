"""Every report by its name; the lists and pairs that they read are brought up to date first."""

from __future__ import annotations

from collections.abc import Callable

from imgsim.database.connection import Connection, Table, table
from imgsim.reports.of_likeness import decades, documents, nearest_names, neighbour_rows, threshold
from imgsim.reports.of_models import agreement, overlap, recall
from imgsim.reports.of_reuse import calibration, evidence, reuse, reuse_groups, verdicts

__all__ = [
    "REPORTS",
    "agreement",
    "calibration",
    "coverage",
    "decades",
    "documents",
    "evidence",
    "failures",
    "nearest_names",
    "neighbour_rows",
    "overlap",
    "recall",
    "reuse",
    "reuse_groups",
    "threshold",
    "verdicts",
]


def coverage(connection: Connection) -> Table:
    """Returns how many images have a book in the bibliography, and how many books have images."""
    return table(connection, "select * from imgsim.coverage", {})


def failures(connection: Connection) -> Table:
    """Returns the files that could not be read, and why."""
    return table(connection, "select * from imgsim.failure", {})


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
