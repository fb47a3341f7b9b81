"""How far a training is, for the reader: a line that changes on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter

import click

from imgsim.cli.output import LINE_SECONDS, say, time_left, warn
from imgsim.networks.training import Reader
from imgsim.networks.training.gathering import Gathered
from imgsim.networks.training.loop import Epoch, State


class Shown(Reader):
    """Shows a training on standard error."""

    def __init__(self) -> None:
        self._told = self._began = time.monotonic()
        self._first = 0

    def read(self, done: int) -> None:
        """So many files have been read."""
        self._passing(f"reading the pictures: {done:,} files")

    def gathered(self, gathered: Gathered) -> None:
        """All pictures have been read."""
        self._lasting(f"{len(gathered.pictures.ink):,} different pictures")
        if gathered.equal:
            say(f"{gathered.equal:>9,} equal to one of these, left out")
        for reason, count in Counter(item.reason for item in gathered.refused).most_common(10):
            say(f"{count:>9,} left out: {reason}")

    def begun(self, state: State) -> None:
        """The first step is next, or the first after those of an earlier run."""
        self._began, self._first = time.monotonic(), state.step
        if state.step:
            say(f"going on from step {state.step:,}, where it was left")

    def step(self, state: State, steps: int, loss: float) -> None:
        """One more of so many steps is taken."""
        seconds = time.monotonic() - self._began
        left = time_left(seconds, state.step - self._first, steps - self._first)
        self._passing(f"step {state.step:,} of {steps:,}, loss {loss:.2f}{left}")

    def epoch(self, epoch: Epoch) -> None:
        """All pictures have been seen once more."""
        self._lasting(
            f"epoch {epoch.number}, step {epoch.step:,}: loss {epoch.loss:.2f}; a new impression "
            f"finds {epoch.found:.1%} of the pictures held out"
        )

    def memory(self, batch: int) -> None:
        """The memory was too small: a step has so many pictures from now on."""
        warn(f"too little memory for this batch: going on with {batch} pictures in a step")

    def _passing(self, text: str) -> None:
        now = time.monotonic()
        if sys.stderr.isatty():
            click.echo(f"\r{text:<70}", nl=False, err=True)
        elif now - self._told >= LINE_SECONDS:
            self._told = now
            say(text)

    def _lasting(self, text: str) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r{text:<70}", err=True)
        else:
            say(text)
