"""Trains a network, without labels, to recognise a picture in another impression of it.

Two simulated impressions of one picture are brought near each other, and all other pictures far
from both: instance discrimination, as in SimCLR and SSCD, with what happens to prints as
augmentation.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import torch

from imgsim.errors import ImgsimError
from imgsim.networks import architectures, bundled, embedding
from imgsim.networks.architectures import Network
from imgsim.networks.training import checkpoints
from imgsim.networks.training.gathering import Gathered, Pictures, gather
from imgsim.networks.training.loop import Recipe, State, Told, Training
from imgsim.settings import UNTRAINED
from imgsim.version import __version__

FEWEST = 16
PICTURES = "pictures.u8"


@dataclass(frozen=True)
class Trained:
    """A trained network: the file of its weights, and how they were trained."""

    weights: Path
    provenance: dict[str, Any]


class Reader(Told):
    """Receives the progress of a training, from reading the pictures on."""

    def read(self, done: int) -> None:
        """So many files have been read."""

    def gathered(self, gathered: Gathered) -> None:
        """All pictures have been read."""

    def begun(self, state: State) -> None:
        """The first step is next, or the first after those of an earlier run."""


@dataclass(frozen=True)
class Plan:
    """What to train, and where.

    Attributes:
        recipe: all that decides what comes of it, but for the pictures.
        weights: what the network begins with, as `architectures.load` takes it; `untrained` for
            numbers drawn by the recipe's seed.
        teacher: architecture and weights of a network to learn from as well.
        folder: keeps the pictures, the checkpoint and at the end the weights.
        fresh: begin anew where a training in that folder was left unfinished.
    """

    recipe: Recipe
    folder: Path
    weights: str = UNTRAINED
    teacher: tuple[str, str] | None = None
    device: str = "auto"
    precision: str = "auto"
    fresh: bool = False


def train(plan: Plan, paths: Sequence[Path], told: Reader | None = None) -> Trained:
    """Trains a network on the pictures under paths, or resumes the training of that folder.

    Its state is kept every few minutes, and when it is interrupted.

    Raises:
        ImgsimError: too few different pictures; an unfinished training of other pictures or
            another recipe is there; the disk is full; another training is at work in the folder.
        WeightsError: the weights it begins with, or its teacher's, cannot be had.
    """
    told = told or Reader()
    plan.folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(plan.folder):
        network = _network(plan)
        teacher = _teacher(plan)
        gathered = _gathered(plan, paths, told)
        device = embedding.choose_device(plan.device)
        precision = embedding.choose_precision(plan.precision, device)
        training = Training(
            plan.recipe,
            gathered.pictures,
            network.module,
            plan.folder,
            device,
            precision,
            teacher.module if teacher else None,
        )
        _take_up(plan, training, gathered)
        told.begun(training.state)
        try:
            state = training.run(told)
        except KeyboardInterrupt:
            # What was learnt since the last checkpoint is minutes of work.
            training.save()
            raise
        own = training.own_threshold()
        return _finished(plan, network, gathered, state, own, f"{device}, {precision}")


def clear(folder: Path) -> None:
    """Removes what only an unfinished training needs: its pictures and its checkpoint."""
    for name in (PICTURES, checkpoints.CHECKPOINT):
        (folder / name).unlink(missing_ok=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    try:
        # The system lets go of it when the process ends, however that is: nothing is left behind.
        with filelock.FileLock(folder / "training.lock", timeout=0):
            yield
    except filelock.Timeout as exc:
        raise ImgsimError(
            f"cannot train in {folder}: another training uses it",
            "wait for it, or give another --name",
        ) from exc


def _network(plan: Plan) -> Network:
    recipe = plan.recipe
    if plan.weights == UNTRAINED:
        return architectures.begun(recipe.architecture, recipe.seed)
    network = architectures.load(recipe.architecture, plan.weights)
    if network.channels == 3:
        architectures.take_ink(network.module)
    return network


def _teacher(plan: Plan) -> Network | None:
    if plan.teacher is None:
        return None
    teacher = architectures.load(*plan.teacher)
    if teacher.channels != 1:
        raise ImgsimError(
            f"{plan.teacher[0]} with {plan.teacher[1]} cannot be a teacher: it takes colours",
            "give one that was trained on ink, such as --teacher resnet18-print",
        )
    return teacher


def _gathered(plan: Plan, paths: Sequence[Path], told: Reader) -> Gathered:
    gathered = gather(paths, plan.folder / PICTURES, told.read)
    told.gathered(gathered)
    count = len(gathered.pictures.ink)
    if count < FEWEST:
        equal = f", and {gathered.equal} equal to one of them" if gathered.equal else ""
        raise ImgsimError(
            f"training needs at least {FEWEST} different pictures (found {count}{equal}); "
            "expect useful results from a few hundred",
            "give more folders, or use the networks that come with imgsim: "
            f"imgsim ingest --model {' --model '.join(bundled.BUNDLED)} FOLDER",
        )
    return gathered


def _take_up(plan: Plan, training: Training, gathered: Gathered) -> None:
    """Resumes from the checkpoint, if there is one of this training."""
    file = plan.folder / checkpoints.CHECKPOINT
    if plan.fresh:
        file.unlink(missing_ok=True)
    if not file.exists():
        return
    # Of another recipe or other pictures it would go on as if nothing were wrong.
    content = checkpoints.read(file)
    advice = "give the same options and folders to resume it, --fresh to start again, or "
    advice += "another --name"
    before, now = content["recipe"], asdict(plan.recipe)
    changed = [key for key in now if before.get(key) != now[key]]
    if changed:
        key = changed[0]
        raise ImgsimError(
            f"an unfinished training of that name has {key} {before.get(key)!r}, not {now[key]!r}",
            advice,
        )
    if content["pictures"] != gathered.pictures.sha256:
        raise ImgsimError("an unfinished training of that name has other pictures", advice)
    training.resume(content)


def _finished(
    plan: Plan, network: Network, gathered: Gathered, state: State, own: float | None, where: str
) -> Trained:
    """Writes the weights of the best state, and beside them how they were trained."""
    kept = state.kept if state.kept is not None else network.module.state_dict()
    file = plan.folder / "weights.pt"
    checkpoints.write_whole(file, bundled.packed({key: v.cpu() for key, v in kept.items()}))
    pictures = gathered.pictures
    provenance = {
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "recipe": asdict(plan.recipe),
        "pictures": {
            "count": len(pictures.ink),
            "held_out": int(np.count_nonzero(pictures.held_out)),
            "equal": gathered.equal,
            "refused": len(gathered.refused),
            "sha256": pictures.sha256,
        },
        "steps": state.step,
        "batch": state.batch,
        "hours": round(state.seconds / 3600, 2),
        "found": state.kept_found if state.kept is not None else None,
        "threshold": None if own is None else _measured(own, pictures),
        "epochs": [asdict(epoch) for epoch in state.epochs],
        "where": f"{where}; {platform.machine()}",
        "versions": {"imgsim": __version__, "torch": str(torch.__version__)},
        "when": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    }
    file.with_suffix(".json").write_text(json.dumps(provenance, indent=1) + "\n", "utf-8")
    return Trained(file, provenance)


def _measured(threshold: float, pictures: Pictures) -> dict[str, Any]:
    held_out = int(np.count_nonzero(pictures.held_out))
    return {
        "value": threshold,
        "measured_on": f"simulated impressions of {held_out:,} held-out pictures",
    }
