"""What was met in reading the rows of a file: how often, with examples, and in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from imgsim.wording import counted

EXAMPLES = 20


@dataclass
class Tally:
    """How often something was met, and the first examples of it.

    `of` is what is counted, in the singular, and `what` is what was met or done about it.
    """

    of: str = "row"
    what: str = "skipped: more or fewer cells than columns"
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)

    def __str__(self) -> str:
        """Returns the tally in words, such as `1 row skipped: image not in the store`."""
        return f"{counted(self.count, self.of)} {self.what}"


def tally(of: str, what: str) -> Tally:
    """Returns a dataclass field: a new tally for each instance."""
    made: Tally = field(default_factory=lambda: Tally(of, what))
    return made


def total(tallies: Iterable[Tally]) -> int:
    """Returns how many rows (or what else they count) several tallies have met."""
    return sum(each.count for each in tallies)


def first_example(tallies: Iterable[Tally]) -> str:
    """Returns the first example of the first tally that has one; empty if none has."""
    return next((each.examples[0] for each in tallies if each.examples), "")
