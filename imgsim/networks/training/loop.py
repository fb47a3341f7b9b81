"""The steps of a training, its checkpoints, and the choice of its best state."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from imgsim.networks.training import objective
from imgsim.networks.training.checkpoints import CHECKPOINT, write_whole
from imgsim.networks.training.gathering import Pictures
from imgsim.networks.training.impressions import Press, Surroundings
from imgsim.networks.training.schedule import Schedule, Step

CHECKPOINT_SECONDS = 300
VALIDATION_SIDE = 128
DISTRACTORS = 256
VALIDATION_BATCH = 64
DISTILLED = 1.0
REACHED = 0.79
"""The share of simulated impressions that reaches a network's own threshold.

So many reach those of imgsim's own networks, which are measured on real impressions; the simulated
ones are far harder. On three collections it gives 0.76 to 0.79 for `resnet18-print` (measured:
0.77), and 0.81 to 0.83 for `resnet50-print` (measured: 0.84).
"""

FEWEST_MEASURED = 40
"""With fewer held-out pictures that share is chance."""
LARGEST_GRADIENT = 5.0


@dataclass(frozen=True)
class Recipe:
    """All that decides what comes of a training, but for the pictures and the machine.

    Attributes:
        started_from: the name of the weights it begins with, or `untrained`.
        steps: how many batches it learns from at most.
        batch: pictures in a step, of each two impressions.
        sides: of what size the impressions are, one after the other: the square root of the area,
            in pixels.
        rate: the highest learning rate, of AdamW.
        spread: the weight of the spreading term.
        patience: how many epochs without a better one end it; 0 for none.
        teacher: the name of trained weights it learns from as well, or empty.
    """

    architecture: str
    started_from: str
    steps: int
    batch: int = 192
    sides: tuple[int, int, int] = (96, 128, 160)
    rate: float = 1.5e-3
    decay: float = 0.05
    temperature: float = 0.07
    spread: float = 0.1
    patience: int = 0
    mirror: bool = False
    teacher: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to: the mean loss, and the share of held-out pictures found again."""

    number: int
    step: int
    loss: float
    found: float
    seconds: float
    side: int


@dataclass
class State:
    """How far a training is; what a checkpoint holds beside the network and its optimiser."""

    step: int = 0
    batch: int = 0
    losses: list[float] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0
    kept: dict[str, Tensor] | None = None
    kept_found: float = -1.0
    best_found: float = -1.0


class Told:
    """Receives the progress of a training; this one ignores it."""

    def step(self, state: State, steps: int, loss: float) -> None:
        """One more of so many steps is taken."""

    def epoch(self, epoch: Epoch) -> None:
        """All pictures have been seen once more."""

    def memory(self, batch: int) -> None:
        """The memory was too small: a step has so many pictures from now on."""


class Training:
    """A network in training.

    Args:
        network: grey pictures (n, 1, height, width) in, features (n, dimension) out; it is
            changed in place.
        folder: where checkpoints are written.
        teacher: a trained network of the same input, which it learns from as well.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Pictures,
        network: nn.Module,
        folder: Path,
        device: torch.device,
        precision: torch.dtype,
        teacher: nn.Module | None = None,
    ) -> None:
        self.state = State(batch=recipe.batch)
        self._recipe = recipe
        self._pictures = pictures
        self._device = device
        self._precision = precision
        self._folder = folder
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._teacher = teacher.to(device).eval() if teacher else None
        self._trained = np.flatnonzero(~pictures.held_out)
        self._held_out = np.flatnonzero(pictures.held_out)
        around = Surroundings.drawn(pictures.ink.shape[-1], recipe.seed, device)
        self._press = Press(around, recipe.mirror)
        # Biases and normalisation have one dimension: decay would pull them to 0 for no gain.
        groups: list[dict[str, Any]] = [
            {"params": [p for p in network.parameters() if p.ndim > 1]},
            {"params": [p for p in network.parameters() if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=recipe.decay)

    def run(self, told: Told) -> State:
        """Takes all remaining steps.

        Raises:
            ImgsimError: a checkpoint cannot be written; the one before it is whole.
        """
        began, before = time.monotonic(), self.state.seconds
        saved = began
        while self.state.step < self._recipe.steps and not self._out_of_patience():
            schedule = self._schedule()
            loss = self._stepped(schedule.step(self.state.step), told)
            self.state.step += 1
            self.state.losses.append(loss)
            self.state.seconds = before + time.monotonic() - began
            told.step(self.state, self._recipe.steps, loss)
            last = self.state.step == self._recipe.steps
            if self.state.step % schedule.in_epoch == 0 or last:
                told.epoch(self._validated(schedule))
            if last or time.monotonic() - saved > CHECKPOINT_SECONDS:
                self.save()
                saved = time.monotonic()
        return self.state

    def save(self) -> None:
        """Replaces the checkpoint, whole or not at all.

        Raises:
            ImgsimError: it cannot be written; the one before it is whole.
        """
        content = {
            "recipe": asdict(self._recipe),
            "pictures": self._pictures.sha256,
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "state": {**vars(self.state), "epochs": [asdict(e) for e in self.state.epochs]},
        }
        write_whole(self._folder / CHECKPOINT, content)

    def resume(self, content: dict[str, Any]) -> None:
        """Resumes from a checkpoint's content."""
        self._network.load_state_dict(content["network"])
        self._optimiser.load_state_dict(content["optimiser"])
        epochs = [Epoch(**epoch) for epoch in content["state"].pop("epochs")]
        self.state = State(**content["state"], epochs=epochs)

    def _schedule(self) -> Schedule:
        sizes = self._pictures.sizes[self._trained]
        recipe = self._recipe
        return Schedule(
            sizes, self.state.batch, recipe.steps, recipe.sides, recipe.rate, recipe.seed
        )

    def _stepped(self, step: Step, told: Told) -> float:
        """Learns from one batch; halves it for good when memory is too small."""
        try:
            return self._learned(step)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as exc:
            if not _is_memory(exc) or self.state.batch < 8:
                raise
            # The failed step's gradients would take the room that the smaller one needs.
            self._optimiser.zero_grad(set_to_none=True)
        self.state.batch //= 2
        told.memory(self.state.batch)
        fewer = Step(step.number, step.pictures[: self.state.batch], step.shape, step.rate)
        return self._stepped(fewer, told)

    def _learned(self, step: Step) -> float:
        recipe = self._recipe
        self._network.train()
        for group in self._optimiser.param_groups:
            group["lr"] = step.rate
        # By the step's number alone, so that a resumed training draws what it would have drawn.
        lots = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step.number)
        numbers = self._trained[step.pictures]
        views = torch.cat([self._printed(numbers, step.shape, lots) for _ in range(2)])
        vectors = self._vectors(self._network, views)
        one, other = vectors.chunk(2)
        loss = objective.attraction(one, other, recipe.temperature)
        loss = loss + recipe.spread * (objective.spreading(one) + objective.spreading(other)) / 2
        if self._teacher:
            with torch.no_grad():
                taught = self._vectors(self._teacher, views)
            loss = loss + DISTILLED * objective.distillation(vectors, taught, recipe.temperature)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        # One batch of pictures that are hardly told apart could undo what hundreds have taught.
        nn.utils.clip_grad_norm_(self._network.parameters(), LARGEST_GRADIENT)
        self._optimiser.step()
        return float(loss.detach())

    def _printed(
        self, numbers: np.ndarray[Any, Any], shape: tuple[int, int], lots: torch.Generator
    ) -> Tensor:
        ink = torch.from_numpy(self._pictures.ink[numbers]).to(self._device)
        sizes = torch.from_numpy(self._pictures.sizes[numbers])
        return self._press.impressions(ink, sizes, shape, lots)

    def _vectors(self, network: nn.Module, views: Tensor) -> Tensor:
        with torch.autocast(
            self._device.type, self._precision, enabled=self._precision != torch.float32
        ):
            features = network(views.to(memory_format=torch.channels_last))
        return functional.normalize(features.float(), dim=1)

    def _validated(self, schedule: Schedule) -> Epoch:
        """Returns the share of held-out pictures that a new impression finds among all."""
        found = self._found()
        losses, self.state.losses = self.state.losses, []
        epoch = Epoch(
            len(self.state.epochs) + 1,
            self.state.step,
            float(np.mean(losses)),
            found,
            self.state.seconds,
            schedule.side(self.state.step - 1),
        )
        self.state.epochs.append(epoch)
        if found >= self.state.best_found - self._by_chance(found):
            # A state dict shares its memory with the network, which the next step changes.
            self.state.kept = copy.deepcopy(self._network.state_dict())
            self.state.kept_found = found
        self.state.best_found = max(found, self.state.best_found)
        return epoch

    def _by_chance(self, found: float) -> float:
        """Returns one standard error of the share found; that near the best, a later state wins.

        The rate falls to the end, and a later state knows more than some hundred pictures tell.
        """
        return math.sqrt(max(found * (1 - found), 0) / max(len(self._held_out), 1))

    def own_threshold(self) -> float | None:
        """Returns the cosine with their picture that most simulated impressions reach.

        Measured on held-out pictures, with the state that is kept; None if there are too few.
        """
        if len(self._held_out) < FEWEST_MEASURED:
            return None
        if self.state.kept is not None:
            self._network.load_state_dict(self.state.kept)
        plain, printed = self._compared(self._held_out)
        reached = float(torch.quantile((plain * printed).sum(1).cpu(), 1 - REACHED))
        # Down to hundredths, as thresholds are given: more would be said than is known.
        return max(math.floor(100 * reached), 1) / 100

    def _found(self) -> float:
        if not len(self._held_out):
            return float("nan")
        # Among the held-out ones alone, a few dozen, nearly every picture would be found.
        others = self._trained[:: max(1, len(self._trained) // DISTRACTORS)]
        plain, printed = self._compared(np.concatenate([self._held_out, others]))
        nearest = (printed @ plain.T).argmax(1)
        return float((nearest == torch.arange(len(printed), device=nearest.device)).float().mean())

    @torch.no_grad()
    def _compared(self, among: np.ndarray[Any, Any]) -> tuple[Tensor, Tensor]:
        """Returns vectors of pictures as they are, and of an impression of each held-out one."""
        self._network.eval()
        # The same impressions after every epoch, or their luck would be taken for progress.
        lots = torch.Generator().manual_seed(self._recipe.seed + 7)
        shape = (VALIDATION_SIDE, VALIDATION_SIDE)
        plain = self._in_batches(among, lambda n: self._plain(n, shape))
        return plain, self._in_batches(self._held_out, lambda n: self._printed(n, shape, lots))

    def _plain(self, numbers: np.ndarray[Any, Any], shape: tuple[int, int]) -> Tensor:
        ink = torch.from_numpy(self._pictures.ink[numbers]).to(self._device)
        return functional.interpolate(ink[:, None].float() / 255, shape, mode="area")

    def _in_batches(
        self, numbers: np.ndarray[Any, Any], made: Callable[[np.ndarray[Any, Any]], Tensor]
    ) -> Tensor:
        parts = [
            self._vectors(self._network, made(numbers[begin : begin + VALIDATION_BATCH]))
            for begin in range(0, len(numbers), VALIDATION_BATCH)
        ]
        return torch.cat(parts)

    def _out_of_patience(self) -> bool:
        epochs, patience = self.state.epochs, self._recipe.patience
        if not patience or len(epochs) <= patience:
            return False
        best = max(range(len(epochs)), key=lambda i: (epochs[i].found, i))
        return len(epochs) - 1 - best >= patience


def _is_memory(exc: BaseException) -> bool:
    told = isinstance(exc, (torch.OutOfMemoryError, MemoryError))
    return told or "not enough memory" in str(exc) or "out of memory" in str(exc).lower()
