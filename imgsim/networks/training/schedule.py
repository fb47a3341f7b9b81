"""Which pictures meet in which step, at what size, and how fast the network learns then."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Batches = tuple[list[npt.NDArray[np.intp]], list[float]]

GROWING = (0.55, 0.9, 1.0)
"""Up to which shares of the steps impressions have the first, the second and the third side: small
ones teach faster, large ones teach what only they show.
"""

WARMING = 0.06
SHAPES = (0.7, 1.0, 1.4)
"""Height to width of a step's impressions; pictures meet in the shape that is near theirs."""

MULTIPLE = 16


@dataclass(frozen=True)
class Step:
    """One step: the pictures by number, their impressions' height and width, the learning rate."""

    number: int
    pictures: npt.NDArray[np.intp]
    shape: tuple[int, int]
    rate: float


@dataclass(frozen=True)
class Schedule:
    """All steps of a training, each found from its number alone, so that it can be taken up."""

    sizes: npt.NDArray[np.int16]
    batch: int
    steps: int
    sides: tuple[int, int, int]
    rate: float
    seed: int
    # Of the epoch at hand only: all of its steps are found from one draw.
    _drawn: dict[int, Batches] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def in_epoch(self) -> int:
        """Returns how many full batches see every picture at most once."""
        return max(1, len(self.sizes) // self.batch)

    def step(self, number: int) -> Step:
        """Returns the step of that number, counted from 0."""
        epoch, place = divmod(number, self.in_epoch)
        batches, aspects = self._epoch(epoch)
        side = self.side(number)
        return Step(number, batches[place], _shape(side, aspects[place]), self._rate(number))

    def side(self, number: int) -> int:
        """Returns the square root of the area of a step's impressions, in pixels."""
        share = (number + 1) / self.steps
        shares = zip(GROWING, self.sides, strict=True)
        return next((side for until, side in shares if share <= until), self.sides[-1])

    def _rate(self, number: int) -> float:
        share = (number + 1) / self.steps
        if share < WARMING:
            return self.rate * share / WARMING
        return self.rate * (1 + math.cos(math.pi * (share - WARMING) / (1 - WARMING))) / 2

    def _epoch(self, epoch: int) -> Batches:
        if epoch not in self._drawn:
            self._drawn.clear()
            self._drawn[epoch] = self._draw(epoch)
        return self._drawn[epoch]

    def _draw(self, epoch: int) -> Batches:
        """Returns batches of pictures of similar shape, shuffled, each with its shape."""
        rng = np.random.default_rng([self.seed, 2, epoch])
        count = self.in_epoch * self.batch
        aspect = np.log(self.sizes[:, 0] / self.sizes[:, 1])
        chosen = rng.permutation(len(aspect))[:count]
        # Noise, or pictures would meet the same neighbours in every epoch.
        ordered = chosen[np.argsort(aspect[chosen] + rng.normal(0, 0.2, len(chosen)))]
        batches = np.array_split(ordered, self.in_epoch)
        near = [
            min(SHAPES, key=lambda shape: abs(math.log(shape) - float(np.median(aspect[batch]))))
            for batch in batches
        ]
        # Mixed again: sorted by shape, the end of every epoch would be all tall pictures.
        order = rng.permutation(len(batches))
        return [batches[i] for i in order], [near[i] for i in order]


def _shape(side: int, aspect: float) -> tuple[int, int]:
    height, width = side * math.sqrt(aspect), side / math.sqrt(aspect)
    return round(height / MULTIPLE) * MULTIPLE, round(width / MULTIPLE) * MULTIPLE
