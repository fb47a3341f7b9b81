"""Revisions of a model's vectors: what is computed from them learns here that some have gone."""

from __future__ import annotations

from imgsim.database.connection import Connection
from imgsim.database.turns import share_models
from imgsim.errors import NotFoundError
from imgsim.networks.models import Model


class ChangedMeanwhileError(Exception):
    """Vectors that the work is based on were replaced or removed: it begins again."""


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
