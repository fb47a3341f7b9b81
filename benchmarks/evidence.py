"""How surely impressions of one block are told from copies, shared frames and chance likeness.

Labelled pairs of the collection of prints are judged as `imgsim verify` judges them; pictures are
made 1-bit or mirrored for two of the questions. With --end-to-end a store is made of all prints:
ingested, neighbours found, verified, grouped; the groups are held against the labels, and the time,
the pairs a second and the bytes an image are told. With --fit the weights in
`imgsim/reuse/evidence/judgement.py` are fitted anew.
"""

from __future__ import annotations

import csv
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from benchmarks import measure
from benchmarks.export_memory import peak_of
from benchmarks.retrieval import PRINTS, reprint
from benchmarks.stores import temporary_store
from imgsim.database.connection import Connection
from imgsim.images import decoding
from imgsim.reuse.evidence import features, ink, judgement, matching
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.work import in_parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[np.float64]

WITHER, CURTIS = "wither_emblems_1635", "curtis_botanical_magazine"
CHANCE, REPRINTS, MIRRORED = 2000, 100, 200
SAME, PART = "same block", "same block in part"
RELATIONS = (SAME, PART, "copy", "undecided", "unrelated")
PENALTY, ROUNDS = 0.1, 100


@dataclass(frozen=True)
class Question:
    """Pairs of one kind; `same` where they are of one block; how much they weigh in a fit."""

    name: str
    pairs: list[tuple[str, str]]
    same: bool
    made: Callable[[Image.Image, int], Image.Image] | None = None
    weight: float = 1.0


def main(arguments: list[str]) -> None:
    """Judge all pairs, and print what they were called."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("prints", nargs="?", type=Path, default=PRINTS)
    parser.add_argument("--end-to-end", action="store_true")
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--model", default="resnet18-print", help="for --end-to-end")
    given = parser.parse_args(arguments)
    if not given.prints.is_dir():
        print(f"no prints in {given.prints}: this needs the collection of labelled prints")
        return
    measure.heading("opencv-python-headless", "pillow")
    blocks = labels(given.prints)
    if given.end_to_end:
        end_to_end(given.prints, blocks, given.model)
        return
    prints = Prints(given.prints)
    asked = questions(given.prints, blocks)
    if given.fit:
        fit(prints, asked)
        return
    print(f"\n{'':<44}{'pairs':>7}" + "".join(f"{r.replace(' block', ''):>14}" for r in RELATIONS))
    for question in asked:
        began = time.perf_counter()
        judged = list(in_parallel(lambda p: judgement.judge(*p), prints.of(question)))
        taken = time.perf_counter() - began
        called: Counter[str] = Counter(each.relation for each in judged)
        line = "".join(f"{called[r]:>14,}" for r in RELATIONS)
        print(f"{question.name:<44}{len(judged):>7,}{line}   {_further(question, judged)}")
        print(f"{'':<44}{len(judged) / taken:>7.0f} a second, with what they need of features")


class Prints:
    """The features of prints, found when they are first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, LocalFeatures] = {}

    def image(self, name: str) -> Image.Image:
        """A print, grey or RGB."""
        with Image.open(self._folder / name) as opened:
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
        if _same(blocks, pair) and sum("page_scans" in name for name in pair) == 1
        if not any("/thumbs/" in name for name in pair)
    ]
    rng = np.random.default_rng(0)
    drawn = [tuple(rng.choice(every, 2, replace=False)) for _ in range(CHANCE)]
    chance = [pair for pair in drawn if pair[0].split("/")[0] != pair[1].split("/")[0]]
    some = [name for name in rng.permutation(whole) if _least_side(folder / name) >= 150]
    reprinted = [(str(name), str(name)) for name in some[:REPRINTS]]
    reversed_ = [(str(name), str(name)) for name in rng.permutation(whole)[:MIRRORED]]
    same_family = [pair for pair in others if _same(blocks, pair, level=0)]
    return [
        Question(
            "Wither's initials, one block", [p for p in wither if _same(blocks, p)], True, weight=2
        ),
        Question(
            "Wither's initials, other blocks", [p for p in wither if not _same(blocks, p)], False
        ),
        Question("re-uses in three other books", [p for p in others if _same(blocks, p)], True),
        Question("recut copies", [p for p in same_family if not _same(blocks, p)], False, weight=2),
        Question("other pictures in one frame", frames, False),
        Question("Curtis' page scans and plates", pages, True),
        Question("1-bit reprints", reprinted, True, lambda image, n: reprint(image, n)),
        Question("mirrored, turned to 3°, rescaled", reversed_, True, mirrored),
        Question("drawn by lot from two books", chance, False),
    ]


def mirrored(image: Image.Image, seed: int) -> Image.Image:
    """Left and right exchanged, turned to 3 degrees, scaled by 0.7 to 1.2."""
    rng = np.random.default_rng([5, seed])
    grey = ImageOps.mirror(image.convert("L"))
    paper = int(np.percentile(np.asarray(grey), 90))
    turned = grey.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, True, fillcolor=paper)
    scale = rng.uniform(0.7, 1.2)
    size = (max(24, round(turned.width * scale)), max(24, round(turned.height * scale)))
    return turned.resize(size, Image.Resampling.LANCZOS)


def end_to_end(folder: Path, blocks: dict[str, tuple[str, str]], model: str) -> None:
    """From the folder to groups by the commands, and the groups against the labels."""
    with temporary_store() as (connection, conninfo, _):
        imgsim = [sys.executable, "-m", "imgsim", "--database", conninfo]
        for words in (
            ["ingest", str(folder), "--model", model],
            ["neighbours"],
            ["verify"],
            ["group"],
        ):
            peak, seconds = peak_of([*imgsim, *words])
            print(f"imgsim {words[0]:<12}{seconds:8.1f} s   {peak:,.0f} MB")
            if words[0] == "verify":
                _tell_of_verification(connection, seconds)
        names = {
            image_id: os.path.relpath(path, folder)
            for image_id, path in connection.execute("select image_id, path from imgsim.image")
        }
        groups: dict[int, list[str]] = {}
        for image_id, group_id in connection.execute(
            "select image_id, group_id from imgsim.group_member"
        ):
            groups.setdefault(group_id, []).append(names[image_id])
        _against_labels(groups.values(), blocks)


def _tell_of_verification(connection: Connection, seconds: float) -> None:
    row = connection.execute(
        """
        select
            (select count(*) from imgsim.verification),
            (select count(*) from imgsim.local_feature),
            (select avg(length(features)) from imgsim.local_feature),
            (select avg(length(features) + length(ink)) from imgsim.local_feature)
        """
    ).fetchone()
    assert row is not None
    pairs, pictures, of_features, of_all = row
    print(
        f"  {pairs:,} pairs, features of {pictures:,} pictures with them: "
        f"{pairs / seconds:.0f} pairs a second; {of_features / 1000:.1f} kB of features and "
        f"{of_all / 1000:.1f} kB in all an image"
    )


def _against_labels(groups: Iterable[Sequence[str]], blocks: dict[str, tuple[str, str]]) -> None:
    """Pairwise precision and recall; where labels say nothing, pairs of one book do not count."""
    together = {pair for members in groups for pair in itertools.combinations(sorted(members), 2)}
    true = {pair for pair in itertools.combinations(sorted(blocks), 2) if _same(blocks, pair)}
    false: list[tuple[str, str]] = []
    unknown: list[tuple[str, str]] = []
    for pair in sorted(together - true):
        labelled = all(name in blocks for name in pair)
        one_book = pair[0].split("/")[0] == pair[1].split("/")[0]
        (unknown if one_book and not labelled else false).append(pair)
    right = len(together & true)
    print(
        f"  {len(together):,} pairs together: precision {right / max(1, right + len(false)):.4f} "
        f"({len(false)} false, {len(unknown)} of one book without labels), "
        f"recall {right / len(true):.4f} of {len(true):,}"
    )
    for pair in [*false[:20], *unknown[:20]]:
        print(f"    {'false' if pair in false else 'no label'}: {' '.join(pair)}")


def fit(prints: Prints, asked: Sequence[Question]) -> None:
    """Print the weights of a logistic regression that tells one block from others.

    Every kind of pair weighs the same, however many there are, unless it says otherwise; and both
    answers do.
    """
    figures, answers, weights = [], [], []
    for question in asked:
        if question.made is mirrored:
            continue
        told = [f for f in in_parallel(lambda p: _figures(*p), prints.of(question)) if f]
        figures += told
        answers += [question.same] * len(told)
        weights += [question.weight / len(told)] * len(told)
        print(f"{question.name}: {len(told)} of {len(question.pairs)} can be laid upon each other")
    x, y, w = np.array(figures), np.array(answers, float), np.array(weights)
    for answer in (0, 1):
        w[y == answer] *= 100 / w[y == answer].sum()
    constant, *slopes = _logistic_regression(x, y, w)
    names = ("CONSTANT", "LINES", "PART", "AGREEING", "FALL")
    print(", ".join(f"{n} {v:.2f}" for n, v in zip(names, (constant, *slopes), strict=True)))


def _figures(one: LocalFeatures, other: LocalFeatures) -> tuple[float, ...] | None:
    registration = matching.register(one, other)
    if registration.transform is None or registration.inliers < judgement.ENOUGH_TO_COMPARE:
        return None
    likeness = ink.compare(one, other, registration.transform)
    if likeness is None:
        return None
    fall = max(0.0, likeness.masses - likeness.lines)
    return likeness.lines, likeness.part, likeness.agreeing, fall


def _logistic_regression(x: Array, y: Array, w: Array) -> Array:
    """Newton's method, with a penalty on the standardised slopes; the constant first."""
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    z = np.c_[np.ones(len(x)), (x - mean) / deviation]
    penalty = PENALTY * np.diag([0.0, *np.ones(x.shape[1])])
    b = np.zeros(z.shape[1])
    for _ in range(ROUNDS):
        p = 1 / (1 + np.exp(-z @ b))
        gradient = z.T @ (w * (p - y)) + penalty @ b
        b -= np.linalg.solve((z.T * (w * p * (1 - p))) @ z + penalty, gradient)
    slopes = b[1:] / deviation
    return np.array([b[0] - slopes @ mean, *slopes])


def _further(question: Question, judged: Sequence[Judgement]) -> str:
    if question.made is mirrored:
        count = sum(each.mirrored and each.relation == SAME for each in judged)
        return f"{count} found and called mirrored"
    share = sum(each.relation == SAME for each in judged) / len(judged)
    return f"recall {share:.4f}" if question.same else f"false {share:.4f}"


def _same(blocks: dict[str, tuple[str, str]], pair: tuple[str, str], level: int = 1) -> bool:
    """Of one block; of one family at level 0."""
    books = {name.split("/")[0] for name in pair}
    return len(books) == 1 and blocks[pair[0]][level] == blocks[pair[1]][level]


def is_print(path: Path) -> bool:
    """Whether a file of the collection is a picture."""
    return path.suffix in (".jpg", ".png")


def _least_side(path: Path) -> int:
    with Image.open(path) as opened:
        return min(opened.size)
