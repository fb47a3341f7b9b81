"""The models of a store: each a name that holds vectors of exactly one network, weights and
preprocessing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError, WeightsError
from imgsim.settings import PRETRAINED

if TYPE_CHECKING:
    from imgsim.networks import Network

DEFAULTS = ("resnet18", "resnet50")
DEFAULT_PREPROCESS = "fit"
PREFERRED = "resnet50"


@dataclass(frozen=True)
class Model:
    """A row of `imgsim.model`."""

    model_id: int
    name: str
    architecture: str
    dimension: int
    weights: str
    weights_sha256: str
    preprocess: str
    embedding_table: str


@dataclass(frozen=True)
class Wanted:
    """A model as a command asks for it; None where it does not care."""

    name: str
    architecture: str | None = None
    weights: str | None = None
    preprocess: str | None = None


def stored(connection: Connection) -> list[Model]:
    """The models of the store, in the order they were added."""
    rows = connection.execute(
        """
        select model_id, name, architecture, dimension, weights, weights_sha256,
            preprocess, embedding_table
        from imgsim.model
        order by model_id
        """
    ).fetchall()
    return [Model(*row) for row in rows]


def named(connection: Connection, name: str) -> Model:
    """The stored model of that name.

    Raises:
        NotFoundError: there is none.
    """
    models = stored(connection)
    for model in models:
        if model.name == name:
            return model
    have = ", ".join(model.name for model in models) or "none yet"
    raise NotFoundError(f"no model is called {name!r}; there are: {have}", "imgsim model list")


def chosen(connection: Connection, names: Sequence[str]) -> list[Model]:
    """The stored models of those names; without any, resnet50, or whichever there is.

    Raises:
        NotFoundError: one is not stored, or none is.
    """
    if names:
        return [named(connection, name) for name in dict.fromkeys(names)]
    models = stored(connection)
    if not models:
        raise NotFoundError("the store is empty", "take pictures in first: imgsim ingest FOLDER")
    return [next((m for m in models if m.name == PREFERRED), models[0])]


def ensure(connection: Connection, wanted: Wanted) -> Model:
    """The stored model that is wanted, added to the store if it is new.

    A stored model that is asked for by name alone is found without loading its network.

    Raises:
        ImgsimError: the store's vectors of that name came from another architecture, other
            weights or another preprocessing; nothing has been done.
        WeightsError: the weights cannot be had.
    """
    known = {model.name: model for model in stored(connection)}.get(wanted.name)
    if known is None:
        return _add(connection, wanted)
    _same("architecture", known, known.architecture, wanted.architecture or known.architecture)
    _same("preprocessing", known, known.preprocess, wanted.preprocess or known.preprocess)
    if wanted.weights is not None:
        network_of(known, wanted.weights)
    return known


def network_of(model: Model, weights: str | None = None) -> Network:
    """The network that made the stored vectors of a model, loaded.

    Args:
        weights: where to find its weights, if not where they were when it was added.

    Raises:
        WeightsError: its weights cannot be had, or are not the same any more.
    """
    from imgsim import networks

    network = networks.load(model.architecture, weights or model.weights)
    if network.weights.sha256 != model.weights_sha256:
        raise WeightsError(
            f"the vectors of {model.name} in this store were made with other weights: "
            f"{model.weights} ({model.weights_sha256[:8]}), "
            f"not {network.weights.name} ({network.weights.sha256[:8]})",
            f"leave --weights out to go on as before, or keep both: "
            f"imgsim model add {model.architecture} --name OTHER --weights …",
        )
    return network


def _add(connection: Connection, wanted: Wanted) -> Model:
    from imgsim import networks

    preprocess = wanted.preprocess or DEFAULT_PREPROCESS
    network = networks.load(wanted.architecture or wanted.name, wanted.weights or PRETRAINED)
    _check_input(network, preprocess)
    connection.execute(
        "select imgsim.add_model(%s, %s, %s, %s, %s, %s)",
        [
            *(wanted.name, network.architecture, network.dimension),
            *(network.weights.name, network.weights.sha256, preprocess),
        ],
    )
    return named(connection, wanted.name)


def _same(what: str, known: Model, before: str, now: str) -> None:
    if before != now:
        raise ImgsimError(
            f"the vectors of {known.name} in this store were made with {what} {before}, not {now}",
            f"leave the option out to go on as before, or keep both under two names: "
            f"imgsim model add {known.architecture} --name OTHER …",
        )


def _check_input(network: Network, preprocess: str) -> None:
    """See that a new model's network takes pictures of the shapes its preprocessing makes."""
    import torch

    height, width = (224, 224) if preprocess == "crop" else (256, 192)
    if preprocess == "square":
        height = width = 256
    try:
        with torch.inference_mode():
            network.module(torch.zeros(1, 3, height, width))
    except (RuntimeError, AssertionError) as exc:
        raise ImgsimError(
            f"{network.architecture} cannot take pictures of {width} x {height} pixels: {exc}",
            "add it with: --preprocess crop",
        ) from exc
