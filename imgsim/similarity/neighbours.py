"""Neighbour lists, brought up to date: exactly, or by what the index finds."""

from __future__ import annotations

from collections.abc import Sequence

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks.models import Model
from imgsim.similarity import exact_lists, index_lists
from imgsim.similarity.comparison.products import Multiplied, OnProcessor
from imgsim.similarity.revisions import renew
from imgsim.similarity.stored_lists import state_of
from imgsim.work import Progress, silent

MOST_NEIGHBOURS = 1000


def bring_up_to_date(
    connection: Connection,
    models: Sequence[Model],
    k: int,
    on_progress: Progress = silent,
    method: str = "exact",
    multiply: Multiplied = OnProcessor,
    may_be_old: bool = True,
) -> dict[str, int]:
    """Fills the lists of models that have none, too short ones, or ones older than their images.

    Args:
        on_progress: called with the model's name, how many lists are filled, and of how many.
        method: `exact`, or `hnsw`: what the index finds, whose measured recall is kept with them.
        multiply: what multiplies, and where, for exact lists.
        may_be_old: a role that may only read, or a standby, goes on with what is stored.

    Returns:
        For each model whose lists were not current, how many were filled.

    Raises:
        ImgsimError: k is out of range.
    """
    if not 1 <= k <= MOST_NEIGHBOURS:
        raise ImgsimError(f"k is {k}", f"give a k from 1 to {MOST_NEIGHBOURS}")

    def fill(model: Model) -> int:
        state = state_of(connection, model)
        if method == "hnsw":
            return index_lists.fill(connection, model, k, state, on_progress)
        return exact_lists.fill(connection, model, k, state, on_progress, multiply)

    return renew(
        *(connection, models, "imgsim.neighbour", may_be_old),
        is_current=lambda model: state_of(connection, model).is_current(k, method),
        fill=fill,
    )
