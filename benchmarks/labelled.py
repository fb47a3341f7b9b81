"""Labelled prints: what is known of which pictures are of one block, and the pairs to ask about.

Two collections: `prints`, on which imgsim was made, and beside it `prints_hard`, on which it was
wrong. Either is left out where its folder is not there.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from benchmarks.retrieval import PRINTS, reprint
from imgsim.images import decoding
from imgsim.reuse.evidence import features
from imgsim.reuse.evidence.features import LocalFeatures

HARD = PRINTS.with_name("prints_hard")
WITHER, CURTIS = "wither_emblems_1635", "curtis_botanical_magazine"
CHAPBOOKS = "nls_chapbooks"
CHANCE, REPRINTS, MIRRORED = 2000, 100, 200


@dataclass(frozen=True)
class Question:
    """Pairs of one kind; `same` where they are of one block; how much they weigh in a fit."""

    name: str
    pairs: list[tuple[str, str]]
    same: bool
    made: Callable[[Image.Image, int], Image.Image] | None = None
    weight: float = 1.0


class Prints:
    """The features of prints, found when they are first asked for."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._known: dict[str, LocalFeatures] = {}

    def image(self, name: str) -> Image.Image:
        """A print, grey or RGB."""
        path = next(f / name for f in self._folders if (f / name).exists())
        with Image.open(path) as opened:
            return decoding.to_grey_or_rgb(opened).copy()

    def features(self, name: str) -> LocalFeatures:
        """Its features as they are kept: packed and unpacked."""
        if name not in self._known:
            self._known[name] = kept(self.image(name))
        return self._known[name]

    def of(self, question: Question) -> Iterable[tuple[LocalFeatures, LocalFeatures]]:
        """The features of each pair; of the second as the question has it made."""
        for number, (one, other) in enumerate(question.pairs):
            if question.made:
                yield self.features(one), kept(question.made(self.image(other), number))
            else:
                yield self.features(one), self.features(other)


def kept(image: Image.Image) -> LocalFeatures:
    """What is left of a picture's features when they have been packed."""
    found = features.find(image)
    return features.unpack(found.width, found.height, *features.pack(found))


def labels(folder: Path) -> dict[str, tuple[str, str]]:
    """The family and the block of each labelled print."""
    known = {}
    for table in sorted(folder.glob("*/groups.csv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                known[f"{table.parent.name}/{row['file']}"] = (row["family"], row["block"])
    return known


def questions(folder: Path, blocks: dict[str, tuple[str, str]]) -> list[Question]:
    """All that is asked; what is drawn by lot is the same every time."""
    of = {
        book: [name for name in blocks if name.startswith(f"{book}/")]
        for book in sorted({name.split("/")[0] for name in blocks})
    }
    every = [str(p.relative_to(folder)) for p in sorted(folder.rglob("*")) if is_print(p)]
    whole = [name for name in every if "/thumbs/" not in name and "page_scans" not in name]
    others = [
        pair
        for book, names in of.items()
        if book not in (WITHER, CURTIS)
        for pair in itertools.combinations(names, 2)
    ]
    wither = list(itertools.combinations(of[WITHER], 2))
    with (folder / "bewick_select_fables" / "shared_frame_pairs.csv").open(
        encoding="utf-8"
    ) as file:
        frames = [
            (f"bewick_select_fables/{row['file_a']}", f"bewick_select_fables/{row['file_b']}")
            for row in csv.DictReader(file)
        ]
    pages = [
        pair
        for pair in itertools.combinations(of[CURTIS], 2)
        if same(blocks, pair) and sum("page_scans" in name for name in pair) == 1
        if not any("/thumbs/" in name for name in pair)
    ]
    rng = np.random.default_rng(0)
    drawn = [tuple(rng.choice(every, 2, replace=False)) for _ in range(CHANCE)]
    chance = [pair for pair in drawn if pair[0].split("/")[0] != pair[1].split("/")[0]]
    some = [name for name in rng.permutation(whole) if _least_side(folder / name) >= 150]
    reprinted = [(str(name), str(name)) for name in some[:REPRINTS]]
    reversed_ = [(str(name), str(name)) for name in rng.permutation(whole)[:MIRRORED]]
    same_family = [pair for pair in others if same(blocks, pair, level=0)]
    return [
        Question(
            "Wither's initials, one block", [p for p in wither if same(blocks, p)], True, weight=2
        ),
        Question(
            "Wither's initials, other blocks", [p for p in wither if not same(blocks, p)], False
        ),
        Question("re-uses in three other books", [p for p in others if same(blocks, p)], True),
        Question("recut copies", [p for p in same_family if not same(blocks, p)], False, weight=2),
        Question("other pictures in one frame", frames, False),
        Question("Curtis' page scans and plates", pages, True),
        Question("1-bit reprints", reprinted, True, lambda image, n: reprint(image, n)),
        Question("mirrored, turned to 3°, rescaled", reversed_, True, mirrored),
        Question("drawn by lot from two books", chance, False),
    ]


def hard_questions(folder: Path) -> list[Question]:
    """Chapbook cuts, worn and badly inked, at full and at half size; and skilled copies."""
    with (folder / CHAPBOOKS / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pairs: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        pair = (f"{CHAPBOOKS}/{row['file']}", f"{CHAPBOOKS}/{row['other']}")
        pairs.setdefault(row["label"], []).append(pair)
    asked = [
        Question(f"chapbooks, {label}", pairs[label], label == "same")
        for label in ("same", "copy", "part", "other")
    ]
    asked.append(Question("chapbooks, same, one at half size", pairs["same"], True, halved))
    families: dict[str, list[str]] = {}
    with (folder / "hogarth" / "groups.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            families.setdefault(row["family"], []).append(f"hogarth/{row['file']}")
    skilled = [p for names in families.values() for p in itertools.combinations(names, 2)]
    return [*asked, Question("Hogarth, skilled copies", skilled, False)]


def families_of_chapbooks(folder: Path) -> dict[str, str]:
    """The family of each chapbook cut that is of one."""
    with (folder / CHAPBOOKS / "groups.csv").open(encoding="utf-8") as file:
        return {f"{CHAPBOOKS}/{row['file']}": row["family"] for row in csv.DictReader(file)}


def halved(image: Image.Image, _: int) -> Image.Image:
    """Half as wide and half as high."""
    return image.reduce(2)


def mirrored(image: Image.Image, seed: int) -> Image.Image:
    """Left and right exchanged, turned to 3 degrees, scaled by 0.7 to 1.2."""
    rng = np.random.default_rng([5, seed])
    grey = ImageOps.mirror(image.convert("L"))
    paper = int(np.percentile(np.asarray(grey), 90))
    turned = grey.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, True, fillcolor=paper)
    scale = rng.uniform(0.7, 1.2)
    size = (max(24, round(turned.width * scale)), max(24, round(turned.height * scale)))
    return turned.resize(size, Image.Resampling.LANCZOS)


def same(blocks: dict[str, tuple[str, str]], pair: tuple[str, str], level: int = 1) -> bool:
    """Of one block; of one family at level 0."""
    books = {name.split("/")[0] for name in pair}
    return len(books) == 1 and blocks[pair[0]][level] == blocks[pair[1]][level]


def is_print(path: Path) -> bool:
    """Whether a file of the collection is a picture."""
    return path.suffix in (".jpg", ".png")


def _least_side(path: Path) -> int:
    with Image.open(path) as opened:
        return min(opened.size)
