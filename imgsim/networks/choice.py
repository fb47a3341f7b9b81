"""Which networks an ingest takes: those named, else the store's, else those of a new store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from imgsim import configuration
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import models, named
from imgsim.networks.models import Wanted
from imgsim.settings import STUDIED, UNTRAINED


@dataclass(frozen=True)
class Choice:
    """The models to ingest with, and why these where none was named."""

    wanted: tuple[Wanted, ...]
    told: str = ""


def choose(
    connection: Connection,
    names: Sequence[str] = (),
    weights: Sequence[str] = (),
    preprocess: str | None = None,
) -> Choice:
    """Returns the models to ingest with, each with the weights meant for it.

    A store keeps the models that it has: another pair is added only where it is named.

    Args:
        names: of models, or of a pair (`imgsim`, `imagenet`).
        weights: each `MODEL=FILE`, or one for all: a file, a torchvision name, or `untrained`.

    Raises:
        ImgsimError: it is unclear for which model weights are meant.
    """
    known = [model.name for model in models.stored(connection)]
    told = ""
    if names:
        chosen = named.expanded(names, known)
    elif known:
        chosen, told = known, _of_a_store(known)
    else:
        chosen, told = _of_a_new_store(weights)
    given = _weights_of(chosen, weights)
    wanted = tuple(Wanted(n, weights=given.get(n), preprocess=preprocess) for n in chosen)
    return Choice(wanted, told)


def _of_a_store(known: Sequence[str]) -> str:
    """Returns what to say of the models that a store has; nothing where they are the usual ones."""
    if tuple(known) == named.DEFAULTS:
        return ""
    told = f"with the models of this store: {', '.join(known)}"
    if tuple(known) == STUDIED:
        told += f"; --model {named.OWN} adds those that know prints"
    return told


def _of_a_new_store(weights: Sequence[str]) -> tuple[list[str], str]:
    """Returns the models of a new store, and whose they are."""
    # A recipe's name stands for weights of an architecture; imgsim's own networks have theirs.
    if any(_is_recipe(text) for text in weights):
        return list(STUDIED), ""
    settled = configuration.read()
    if settled.models:
        chosen = named.expanded(settled.models)
        return chosen, f"a new store, with {', '.join(chosen)} ({settled.place_of('models')})"
    chosen = list(named.DEFAULTS)
    return chosen, f"a new store, with {' and '.join(chosen)} (imgsim's own)"


def _is_recipe(weights: str) -> bool:
    return weights == UNTRAINED or weights.startswith("IMAGENET")


def _weights_of(chosen: Sequence[str], weights: Sequence[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in weights:
        name, separator, value = text.partition("=")
        if separator and name in chosen:
            given[name] = value
        # torchvision's names are those of recipes: one stands for weights of every architecture.
        elif len(chosen) == 1 or _is_recipe(text):
            given.update(dict.fromkeys(chosen, text))
        else:
            raise ImgsimError(
                f"cannot tell which of {len(chosen)} models --weights {text} is for",
                f"name the model: --model {STUDIED[0]} --weights {STUDIED[0]}={text}",
            )
    return given
