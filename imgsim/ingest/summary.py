"""What came of an ingest."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from imgsim.images import kinds
from imgsim.images.files import Ignored, Refused, SpeltAlike
from imgsim.ingest.timings import Timings

FEW = 5
"""How many examples are kept of names that differ only in spelling."""


@dataclass(frozen=True)
class PassedOver:
    """What an ingest of a folder does not look into.

    Attributes:
        folders: hidden folders and a system's, by name.
        hidden: how many files are hidden.
        endings: other files by their ending, in lower case; empty where there is none.
        pictures: endings and formats of those that hold a picture all the same. Of each ending
            only the first files are opened, so that there may be more.
        spelt_alike: paths that differ only in how accents are written, some of them.
    """

    folders: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    pictures: Counter[tuple[str, str]] = field(default_factory=Counter)
    spelt_alike: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, items: Iterable[Ignored | SpeltAlike]) -> PassedOver:
        """Returns what these add up to."""
        folders, endings, pictures = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
        hidden, alike = 0, []
        for item in items:
            if isinstance(item, SpeltAlike):
                alike.append(item.paths)
                continue
            name = os.path.basename(item.path)
            if item.folder:
                folders[name] += 1
            elif kinds.is_hidden(name):
                hidden += 1
            else:
                suffix = kinds.suffix_of(name)
                endings[suffix] += 1
                if item.holds:
                    pictures[suffix, item.holds] += 1
        return cls(folders, hidden, endings, pictures, tuple(alike[:FEW]))

    def __add__(self, other: PassedOver) -> PassedOver:
        return PassedOver(
            self.folders + other.folders,
            self.hidden + other.hidden,
            self.endings + other.endings,
            self.pictures + other.pictures,
            (self.spelt_alike + other.spelt_alike)[:FEW],
        )

    @property
    def files(self) -> int:
        """How many files; those inside the folders are not counted."""
        return self.hidden + self.endings.total()


@dataclass
class Summary:
    """What came of an ingest, in files.

    `pictures` counts the frames that were stored, `ignored` the files that are passed over,
    `set_aside` the folders, and `without_regions` the pages that are skipped because only regions
    are wanted.
    """

    new: int = 0
    changed: int = 0
    completed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicate: int = 0
    failed: int = 0
    ignored: int = 0
    set_aside: int = 0
    without_regions: int = 0
    pictures: int = 0
    passed: PassedOver = field(default_factory=PassedOver)
    reasons: Counter[str] = field(default_factory=Counter)
    timings: Timings = field(default_factory=Timings, compare=False)

    @property
    def files(self) -> int:
        """How many files have been dealt with; those that are passed over are not counted."""
        stored = self.new + self.changed + self.completed + self.duplicate
        return stored + self.unchanged + self.moved + self.failed

    def count(self, kind: str, files: int = 1) -> None:
        """Adds so many files of a kind."""
        setattr(self, kind, getattr(self, kind) + files)

    def pass_over(self, passed: PassedOver) -> None:
        """Adds files and folders that are passed over."""
        self.passed += passed
        self.ignored += passed.files
        self.set_aside += passed.folders.total()

    def refuse(self, refused: Refused) -> None:
        """Adds a failure; its reason is counted by its first words."""
        self.reasons[re.split(r" \(|: ", refused.reason)[0]] += 1

    def counts(self) -> dict[str, int]:
        """Returns the figures by name, for the record of the run."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


Progress = Callable[[Summary], None]
