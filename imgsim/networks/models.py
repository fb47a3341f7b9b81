"""The models of a store: each a name that holds vectors of exactly one network, weights and
preprocessing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError, NotFoundError, WeightsError
from imgsim.networks import bundled
from imgsim.networks.named import PAIRS, expanded
from imgsim.settings import PRETRAINED, STUDIED, THRESHOLD, UNTRAINED
from imgsim.wording import counted

if TYPE_CHECKING:
    from imgsim.networks.architectures import Network

NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,38}[a-z0-9])?")
DEFAULT_PREPROCESS = "fit"
INK_PREPROCESS = "print"
"""Of networks that take ink instead of colours."""


@dataclass(frozen=True)
class Model:
    """A row of `imgsim.model`.

    `threshold` is its own; `threshold_from` what that was measured on, None if it was not measured.
    """

    model_id: int
    name: str
    architecture: str
    dimension: int
    weights: str
    weights_sha256: str
    preprocess: str
    embedding_table: str
    threshold: float = THRESHOLD
    threshold_from: str | None = None

    @property
    def described(self) -> str:
        """The name, and the weights unless they are named the same, as imgsim's own are."""
        return self.name if self.weights == self.name else f"{self.name} ({self.weights})"


@dataclass(frozen=True)
class Wanted:
    """A model as a command asks for it; None where it does not care.

    `training` is how its weights were trained, if it is known.
    """

    name: str
    architecture: str | None = None
    weights: str | None = None
    preprocess: str | None = None
    training: Mapping[str, Any] | None = None


def stored(connection: Connection) -> list[Model]:
    """Returns the models of the store, in the order they were added."""
    rows = connection.execute(
        """
        select model_id, name, architecture, dimension, weights, weights_sha256,
            preprocess, embedding_table, threshold, threshold_from
        from imgsim.model
        order by model_id
        """
    ).fetchall()
    return [Model(*row) for row in rows]


def named(connection: Connection, name: str) -> Model:
    """Returns the stored model of that name.

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
    """Returns the stored models of those names; without names, the one that SQL takes by default.

    The name of a pair (`imgsim`, `imagenet`) stands for both.

    Raises:
        NotFoundError: one is not stored, or none is.
    """
    if names:
        known = [model.name for model in stored(connection)]
        return [named(connection, name) for name in expanded(names, known)]
    return [_default(connection)]


def told(connection: Connection, model: Model, name: str | None) -> str:
    """Returns which model was taken, where none was named and the store has several."""
    others = [one.name for one in stored(connection) if one != model]
    if name or not others:
        return ""
    return f"by {model.name} (also in the store: {', '.join(others)})"


def chosen_pair(connection: Connection, names: Sequence[str]) -> tuple[Model, Model]:
    """Returns the two stored models of those names; without names, those that SQL compares.

    Raises:
        NotFoundError: one is not stored, or there are no two.
        ImgsimError: names are given, but not two.
    """
    if names:
        names = expanded(names, [model.name for model in stored(connection)])
        if len(names) != 2:
            raise ImgsimError(f"cannot compare {counted(len(names), 'model')}", "name two")
        return named(connection, names[0]), named(connection, names[1])
    first, second = _default(connection, 1), _default(connection, 2)
    if first == second:
        raise NotFoundError(
            f"cannot compare two models: the store has one, {first.name}",
            "add a second one: imgsim ingest --model NAME FOLDER",
        )
    return first, second


def _default(connection: Connection, place: int | None = None) -> Model:
    if not stored(connection):
        raise NotFoundError("the store is empty", "add pictures first: imgsim ingest FOLDER")
    row = connection.execute("select imgsim.default_model(%s::integer)", [place]).fetchone()
    assert row
    return named(connection, row[0])


def ensure(connection: Connection, wanted: Wanted) -> Model:
    """Returns the stored model that is wanted, and adds it to the store if it is new.

    A stored model that is requested by name only is found without loading its network.

    Raises:
        ImgsimError: the store's vectors of that name came from another architecture, other
            weights or another preprocessing; nothing has been done.
        WeightsError: the weights cannot be had.
    """
    known = {model.name: model for model in stored(connection)}.get(wanted.name)
    if known is None:
        return _add(connection, wanted)
    asked = wanted.architecture or known.architecture
    _same("architecture", known, known.architecture, bundled.BUNDLED.get(asked, asked))
    _same("preprocessing", known, known.preprocess, wanted.preprocess or known.preprocess)
    # Loaded only to compare: its hash says whether these are the weights of the stored vectors.
    if wanted.weights is not None:
        network_of(known, wanted.weights)
    return known


def network_of(model: Model, weights: str | None = None) -> Network:
    """Returns the network that made the stored vectors of a model, loaded.

    Args:
        weights: where to find its weights, if not where they were when it was added.

    Raises:
        WeightsError: its weights cannot be had, or are not the same any more.
    """
    from imgsim.networks import architectures

    network = architectures.load(model.architecture, weights or model.weights)
    if network.weights.sha256 != model.weights_sha256:
        raise WeightsError(
            f"the vectors of {model.name} in this store were made with other weights: "
            f"{model.weights} ({model.weights_sha256[:8]}), "
            f"not {network.weights.name} ({network.weights.sha256[:8]})",
            f"omit --weights to continue as before, or keep both: "
            f"imgsim model add {model.architecture} --name OTHER --weights …",
        )
    return network


def status(connection: Connection) -> Table:
    """Returns the models, and the state of their vectors, index and neighbour lists."""
    return table(connection, "select * from imgsim.model_status()")


def remove(connection: Connection, model: Model) -> None:
    """Removes a model with its vectors, index, neighbour lists and pairs."""
    connection.execute("select imgsim.remove_model(%s)", [model.name])


def check_new(connection: Connection, name: str) -> None:
    """Checks that a new model can have this name, before any work is done for it.

    Raises:
        ImgsimError: it is taken, or not one that a model can have.
    """
    if name in [model.name for model in stored(connection)]:
        raise ImgsimError(
            f"the store already has a model {name}",
            f"give another --name, or remove it: imgsim model remove {name}",
        )
    _check_name(connection, name)


def _check_name(connection: Connection, name: str) -> None:
    """Checks that a table can be made for a new model of that name."""
    if not NAME.fullmatch(name):
        raise ImgsimError(
            f"cannot call a model {name!r}: a name has up to 40 lower-case letters and digits, "
            "and between them . _ -",
            "give another --name",
        )
    if name in PAIRS:
        raise ImgsimError(
            f"cannot call a model {name}: that means {' and '.join(PAIRS[name])}",
            "give another --name",
        )
    # The table of its vectors is named after it, and SQL names have neither dots nor hyphens.
    table = table_name(name)
    for model in stored(connection):
        if model.embedding_table == table and model.name != name:
            raise ImgsimError(
                f"cannot call a model {name}: the store has {model.name}, and the names differ "
                "only in . _ -",
                "give another --name",
            )


def table_name(name: str) -> str:
    """Returns the name of the table of a model's vectors, as `imgsim.add_model` makes it."""
    return "embedding_" + name.replace(".", "_").replace("-", "_")


def origin(connection: Connection, name: str, weights: str | None = None) -> tuple[str, str]:
    """Returns what a training begins with: architecture and weights of a stored model, of one that
    comes with imgsim, or of an architecture, which is untrained unless weights are given.
    """
    known = {model.name: model for model in stored(connection)}.get(name)
    if known is not None:
        return known.architecture, weights or known.weights
    if name in bundled.BUNDLED:
        return bundled.BUNDLED[name], weights or name
    return name, weights or UNTRAINED


def _add(connection: Connection, wanted: Wanted) -> Model:
    from imgsim.networks import architectures

    asked = wanted.architecture or wanted.name
    own = bundled.BUNDLED.get(asked)
    # Before the weights: they may be downloaded, and a name can be seen to be wrong at once.
    architectures.check(own or asked)
    _check_name(connection, wanted.name)
    if wanted.name in bundled.BUNDLED and wanted.weights not in (None, wanted.name):
        raise ImgsimError(
            f"cannot give {wanted.name} other weights: that name is for those of imgsim",
            f"give the network another name: imgsim model add {bundled.BUNDLED[wanted.name]} "
            f"--name OTHER --weights {wanted.weights}",
        )
    network = architectures.load(own or asked, wanted.weights or (asked if own else PRETRAINED))
    preprocess = wanted.preprocess or preprocess_for(network)
    _check_input(network, preprocess)
    training = wanted.training
    if training is None and network.weights.name in bundled.BUNDLED:
        training = bundled.provenance(network.weights.name)
    row = [
        *(wanted.name, network.architecture, network.dimension),
        *(network.weights.name, network.weights.sha256, preprocess),
        json.dumps(training) if training else None,
        *_own_threshold(network, training),
    ]
    try:
        connection.execute("select imgsim.add_model(%s, %s, %s, %s, %s, %s, %s, %s, %s)", row)
    except psycopg.errors.UniqueViolation:
        _check_name(connection, wanted.name)  # another imgsim took the table's name meanwhile
        raise
    return named(connection, wanted.name)


def _own_threshold(
    network: Network, training: Mapping[str, Any] | None
) -> tuple[float, str | None]:
    """Returns the threshold of a new model, and what it was measured on; None if it was not."""
    measured = (training or {}).get("threshold")
    if measured:
        return measured["value"], measured["measured_on"]
    if network.weights.name == PRETRAINED and network.architecture in STUDIED:
        return THRESHOLD, "the original study"
    return THRESHOLD, None


def preprocess_for(network: Network) -> str:
    """Returns the preprocessing of a network if none is requested."""
    return INK_PREPROCESS if network.channels == 1 else DEFAULT_PREPROCESS


def _same(what: str, known: Model, before: str, now: str) -> None:
    if before != now:
        raise ImgsimError(
            f"the vectors of {known.name} in this store were made with {what} {before}, not {now}",
            f"omit the option to continue as before, or keep both under two names: "
            f"imgsim model add {known.architecture} --name OTHER …",
        )


def _check_input(network: Network, preprocess: str) -> None:
    """Checks that a network takes pictures of the shapes that its preprocessing makes."""
    import torch

    height, width = {"crop": (224, 224), "square": (256, 256)}.get(preprocess, (256, 192))
    try:
        with torch.inference_mode():
            network.module(torch.zeros(1, network.channels, height, width))
    except (RuntimeError, AssertionError) as exc:
        raise ImgsimError(
            f"{network.architecture} cannot take pictures of {width} x {height} pixels: {exc}",
            "add it with: --preprocess crop",
        ) from exc
