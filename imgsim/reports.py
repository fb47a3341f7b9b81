"""Calls the reports in SQL, the neighbour lists they need brought up to date first."""

from __future__ import annotations

from imgsim.database.connection import Connection, Table, table


def overlap(connection: Connection, k: int, model_a: str, model_b: str) -> Table:
    """How many images share k, k - 1, … 0 of their k nearest between two models."""
    return table(
        connection,
        "select * from imgsim.overlap(k => %(k)s, model_a => %(a)s, model_b => %(b)s)",
        {"k": k, "a": model_a, "b": model_b},
    )


def failures(connection: Connection) -> Table:
    """The files that could not be taken in, and why."""
    return table(connection, "select * from imgsim.failure", {})


def nearest_names(connection: Connection) -> dict[str, dict[str, str]]:
    """For each model and each image's name, the name of its nearest, from the stored lists."""
    answer = table(
        connection, "select model, name, other_name from imgsim.neighbour_ecco where rank = 1", {}
    )
    nearest: dict[str, dict[str, str]] = {}
    for model, name, other in answer.rows:
        nearest.setdefault(model, {})[name] = other
    return nearest
