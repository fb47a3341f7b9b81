"""Shows how far a training is."""

from __future__ import annotations

from collections import Counter

from imgsim.cli.output import say, warn
from imgsim.cli.progress import Line, Pace
from imgsim.networks.training import Reader
from imgsim.networks.training.gathering import Gathered
from imgsim.networks.training.loop import Epoch, State
from imgsim.wording import counted


class Shown(Reader):
    """Shows a training on standard error."""

    def __init__(self) -> None:
        self._line, self._pace = Line(), Pace()

    def read(self, done: int) -> None:
        """Shows how many files have been read."""
        self._line.passing(f"reading the pictures: {counted(done, 'file')}")

    def gathered(self, gathered: Gathered) -> None:
        """Says how many different pictures were read, and what was skipped."""
        self._line.lasting(counted(len(gathered.pictures.ink), "different picture"))
        if gathered.equal:
            say(f"{gathered.equal:>9,} equal to one of these, skipped")
        for reason, count in Counter(item.reason for item in gathered.refused).most_common(10):
            say(f"{count:>9,} skipped: {reason}")

    def begun(self, state: State) -> None:
        """Starts the clock, at the first step or the first after those of an earlier run."""
        self._pace = Pace()
        if state.step:
            say(f"resuming at step {state.step:,}")

    def step(self, state: State, steps: int, loss: float) -> None:
        """Shows a step that was taken."""
        left = self._pace.left(state.step, steps)
        self._line.passing(f"step {state.step:,} of {steps:,}, loss {loss:.2f}{left}")

    def epoch(self, epoch: Epoch) -> None:
        """Says what came of an epoch: all pictures seen once more."""
        self._line.lasting(
            f"epoch {epoch.number}, step {epoch.step:,}: loss {epoch.loss:.2f}; "
            f"{epoch.found:.1%} of the pictures held out are found by a new impression"
        )

    def memory(self, batch: int) -> None:
        """Warns that steps have fewer pictures from now on, because the memory was too small."""
        warn(
            f"not enough memory for this batch: continuing with {counted(batch, 'picture')} a step"
        )
