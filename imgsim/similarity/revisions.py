"""Revisions of a model's vectors: what is computed from them is renewed when some have gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imgsim.database.connection import Connection
from imgsim.database.session import only_reads
from imgsim.database.turns import share_models, turn
from imgsim.errors import NotFoundError
from imgsim.networks.models import Model


class ChangedMeanwhileError(Exception):
    """Vectors that the work is based on were replaced or removed: it begins again."""


def renew(
    connection: Connection,
    models: Sequence[Model],
    what: str,
    may_be_old: bool,
    *,
    is_current: Callable[[Model], bool],
    fill: Callable[[Model], int],
) -> dict[str, int]:
    """Fills what is computed from models' vectors where it is not current, a process at a time.

    Args:
        what: the kind of work, of which one process has its turn for a model.
        may_be_old: a role that may only read, or a standby, goes on with what is stored.
        fill: returns how many it filled; called again if it raises `ChangedMeanwhileError`.

    Returns:
        For each model that was not current, what `fill` returned.
    """
    behind = [model for model in models if not is_current(model)]
    if not behind or (may_be_old and only_reads(connection)):
        return {}  # what is stored is read as it is; SQL warns where it is older than the images
    filled: dict[str, int] = {}
    for model in behind:
        with turn(connection, what, model.model_id):
            # Looked at again: whoever had the turn before may have done it.
            while not is_current(model):
                try:
                    filled[model.name] = fill(model)
                except ChangedMeanwhileError:
                    continue
                break
    return filled


def unchanged_since(connection: Connection, model: Model, revision: int) -> None:
    """Keeps the model's vectors as they are until the transaction ends.

    To be called first in a transaction: whoever replaces or removes vectors holds the models' rows
    before it deletes anything, so it either waits for this transaction and sees what that wrote,
    or was here before and is noticed.

    Raises:
        ChangedMeanwhileError: vectors were replaced or removed after that revision.
    """
    share_models(connection)
    row = connection.execute(
        "select last_removal from imgsim.model where model_id = %s", [model.model_id]
    ).fetchone()
    if row is None or row[0] > revision:
        raise ChangedMeanwhileError


def removed_meanwhile(model: Model) -> NotFoundError:
    """Returns the error for a model whose row is gone while work for it goes on."""
    return NotFoundError(
        f"cannot go on: the model {model.name} was removed meanwhile",
        "see which models are stored: imgsim model list",
    )
