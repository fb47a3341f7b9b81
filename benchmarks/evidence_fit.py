"""Fits anew what `imgsim verify` judges by, families of designs left out in turn, and the bank.

Three numbers in `imgsim/reuse/evidence/ways.py` tell one design, the DESIGN_ ones: they are
fitted on copies, and on near neighbours that are none. Two tell lines of one block: the slope, and
by how much more or less must agree than LINES_WANTED says. How well a probability then means what
it says is told on families that were left out. With --bank the bank of cells is made anew, from
pictures that nobody is asked about: do that first, and all else after.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import evidence_peers, labelled, measure
from benchmarks.evidence import interval
from benchmarks.labelled import CHAPBOOKS, CURTIS, Prints
from benchmarks.retrieval import PRINTS
from imgsim.reuse.evidence import middle_layer, ways
from imgsim.work import in_parallel

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]
    Pair = tuple[str, str]

FOLDS = 8
NEAREST = 10
BINS = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.001)
BANK_CELLS, CELLS_OF_EACH, CURTIS_OF = 3000, 40, 8
PENALTY, ROUNDS, STEP = 1e-3, 200, 0.5


def main(arguments: list[str]) -> None:
    """Fit, and print the numbers and how well they do on families left out."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("--hard", type=Path, default=labelled.HARD, help="the harder collection")
    parser.add_argument("--bank", action="store_true", help="make the bank of cells anew")
    given = parser.parse_args(arguments)
    if not given.hard.is_dir() or not PRINTS.is_dir():
        print("this needs both collections of labelled prints")
        return
    measure.heading("opencv-python-headless", "torch")
    prints = Prints(PRINTS, given.hard)
    if given.bank:
        _make_bank(prints, given.hard)
        return
    hard = {q.name: q.pairs for q in labelled.hard_questions(given.hard)}
    soft = {q.name: q.pairs for q in labelled.questions(PRINTS, labelled.labels(PRINTS))}
    families = labelled.families_of_chapbooks(given.hard)
    copies = [*hard["chapbooks, copy"], *soft["recut copies"]]
    others = _near_and_different(prints, hard["chapbooks, other"], given.hard)
    print(f"{len(copies)} copies, {len(others)} near neighbours of other designs")
    _fit("one design", _designs(prints, copies), _designs(prints, others), copies, others, families)
    same = hard["chapbooks, same"]
    wrong = [*copies, *hard["chapbooks, other"]]
    _fit("lines", _lines(prints, same), _lines(prints, wrong), same, wrong, families)


def _make_bank(prints: Prints, hard: Path) -> None:
    with (hard / CHAPBOOKS / "distractors.csv").open(encoding="utf-8") as file:
        names = [f"{CHAPBOOKS}/{row['file']}" for row in csv.DictReader(file)]
    for book, of in (("orbis_pictus", 1), (CURTIS, CURTIS_OF)):
        found = sorted(p for p in (PRINTS / book).glob("*") if labelled.is_print(p))
        names += [f"{book}/{p.name}" for p in found[::of]]
    rng = np.random.default_rng(0)
    cells = []
    for name in names:
        kept = prints.features(name)
        maps = middle_layer.feature_maps(kept.ink, kept.cells.box)[int(rng.integers(2))]
        each = maps.reshape(len(maps), -1).T
        cells.append(each[rng.permutation(len(each))[:CELLS_OF_EACH]])
    middle_layer.write(middle_layer.made_from(np.concatenate(cells), BANK_CELLS))
    print(f"{middle_layer.BANK.name}: {BANK_CELLS} cells of {len(names)} pictures")


def _near_and_different(prints: Prints, known: Sequence[Pair], hard: Path) -> list[Pair]:
    """Pairs known to be of two designs, and near neighbours of which that may be taken for true."""
    families = labelled.families_of_chapbooks(hard)
    with (hard / CHAPBOOKS / "pairs.csv").open(encoding="utf-8") as file:
        labels = {
            tuple(sorted(f"{CHAPBOOKS}/{row[side]}" for side in ("file", "other")))
            for row in csv.DictReader(file)
            if row["label"] != "other"
        }
    names = [f"{CHAPBOOKS}/{p.name}" for p in sorted((hard / CHAPBOOKS).glob("*.jpg"))]
    names += [
        f"bewick_select_fables/{p.name}"
        for p in sorted((PRINTS / "bewick_select_fables").glob("*"))
        if labelled.is_print(p)
    ]
    vector = evidence_peers.vectors(prints)
    vectors = np.stack([vector(name) for name in names])
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, -1)
    pairs = {tuple(sorted(pair)) for pair in known}
    for row, name in zip(alike, names, strict=True):
        for other in (names[i] for i in np.argsort(-row)[:NEAREST]):
            pair = tuple(sorted((name, other)))
            if families.get(name, name) != families.get(other, other) and pair not in labels:
                pairs.add(pair)
    return sorted((one, other) for one, other in pairs)


def _designs(prints: Prints, pairs: Sequence[Pair]) -> Array:
    """Excess and masses of each pair, of the better way."""
    return np.array([(way.excess, way.masses) for way in _ways(prints, pairs)])


def _lines(prints: Prints, pairs: Sequence[Pair]) -> Array:
    """By how much the finest lines agree more than is wanted; of what is not aligned, -1."""
    return np.array([(way.beyond_wanted,) for way in _ways(prints, pairs)])


def _ways(prints: Prints, pairs: Sequence[Pair]) -> list[ways.Way]:
    tasks = [(prints.features(one), prints.features(other)) for one, other in pairs]
    return list(in_parallel(lambda task: ways.better_way(*task), tasks))


def _fit(
    what: str,
    right: Array,
    wrong: Array,
    pairs: Sequence[Pair],
    others: Sequence[Pair],
    families: dict[str, str],
) -> None:
    x, y = np.r_[right, wrong], np.r_[np.ones(len(right)), np.zeros(len(wrong))]
    print(f"\n{what}: constant and slopes {_regression(x, y).round(2).tolist()}")
    kin = np.array([families.get(one, one) for one, _ in itertools.chain(pairs, others)])
    folds = np.random.default_rng(0).permutation(np.unique(kin))
    told = np.zeros(len(y))
    for number in range(FOLDS):
        out = np.isin(kin, folds[number::FOLDS])
        told[out] = _probability(x[out], _regression(x[~out], y[~out]))
    print("families left out:   pairs    true   share (95 %)")
    for low, high in itertools.pairwise(BINS):
        held = (told >= low) & (told < high)
        count, of = int(y[held].sum()), int(held.sum())
        if of:
            least, most = interval(count, of)
            share = f"{count / of:.3f} ({least:.3f} to {most:.3f})"
            print(f"  {low:.2f} to {min(high, 1):.2f}{of:>12,}{count:>8,}   {share}")


def _probability(x: Array, b: Array) -> Array:
    told: Array = 1 / (1 + np.exp(-np.clip(b[0] + x @ b[1:], -30, 30)))
    return told


def _regression(x: Array, y: Array) -> Array:
    """A logistic regression by Newton's method, damped; the constant first."""
    z = np.c_[np.ones(len(x)), x]
    b = np.zeros(z.shape[1])
    penalty = PENALTY * np.eye(len(b))
    for _ in range(ROUNDS):
        p = _probability(x, b)
        step = np.linalg.solve((z.T * (p * (1 - p))) @ z + penalty, z.T @ (y - p) - penalty @ b)
        b = b + STEP * step
    return b
