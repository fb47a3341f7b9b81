"""Revisions of a model's vectors: what is computed from them learns here that some have gone."""

from __future__ import annotations

from imgsim.database.connection import Connection
from imgsim.networks.models import Model


class ChangedMeanwhileError(Exception):
    """Vectors that the work is based on have been replaced or taken out: begin again."""


def unchanged_since(connection: Connection, model: Model, revision: int) -> None:
    """Within a transaction: keep the model's vectors as they are, or learn that some have gone.

    Raises:
        ChangedMeanwhileError: vectors were replaced or taken out after that revision.
    """
    row = connection.execute(
        "select last_removal from imgsim.model where model_id = %s for share", [model.model_id]
    ).fetchone()
    if row is None or row[0] > revision:
        raise ChangedMeanwhileError
