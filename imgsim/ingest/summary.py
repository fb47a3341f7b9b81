"""What came of an ingest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from imgsim.images.files import Refused
from imgsim.ingest.timings import Timings


@dataclass
class Summary:
    """What came of an ingest, in files; `pictures` counts the frames that were stored."""

    new: int = 0
    changed: int = 0
    completed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicate: int = 0
    failed: int = 0
    ignored: int = 0
    pictures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings, compare=False)

    @property
    def files(self) -> int:
        """How many files have been dealt with, but for those that are no images by name."""
        stored = self.new + self.changed + self.completed + self.duplicate
        return stored + self.unchanged + self.moved + self.failed

    def count(self, kind: str, files: int = 1) -> None:
        """So many more files of that kind."""
        setattr(self, kind, getattr(self, kind) + files)

    def refuse(self, refused: Refused) -> None:
        """One more failure; its reason is counted by its first words."""
        self.reasons[re.split(r" \(|: ", refused.reason)[0]] += 1

    def counts(self) -> dict[str, int]:
        """The figures by name, for the record of the run."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


Progress = Callable[[Summary], None]
