"""What a model's own threshold finds: impressions of a block, and false pairs, against 0.94.

Measured on labelled books that imgsim's own networks were not trained with: Wither's Emblemes of
1635 and the Scottish chapbooks. Pairs of one block are wanted; pairs of one family, which a
labelled copy makes, count neither way; all others are false. A threshold that finds 95 in 100 in
each book is a model's own (`imgsim/networks/weights/*.json`), rounded down to hundredths.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.retrieval import PRINTS, _network, _opened
from imgsim.networks import bundled
from imgsim.settings import THRESHOLD

if TYPE_CHECKING:
    import numpy.typing as npt

BOOKS = (
    PRINTS / "wither_emblems_1635",
    PRINTS.with_name("prints_hard") / "nls_chapbooks",
)
WANTED = 0.95


def main(arguments: Sequence[str]) -> None:
    """Prints, for each model and book, recall and false pairs at its own threshold and at 0.94."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks thresholds", description=__doc__)
    parser.add_argument("--model", action="append", help="NAME, or NAME=FILE of other weights")
    parser.add_argument("--at", type=float, action="append", help="other thresholds")
    given = parser.parse_args(arguments)
    for model in given.model or bundled.BUNDLED:
        name, embed = _network(model, None)
        own = bundled.provenance(model)["threshold"]["value"] if model in bundled.BUNDLED else None
        for book in BOOKS:
            files = sorted(f for f in book.rglob("*") if f.suffix in (".png", ".jpg"))
            vectors = embed([_opened(file) for file in files])
            same, false = _compared(vectors, *_labels(book, files))
            most = np.quantile(same, 1 - WANTED, method="lower")
            print(
                f"\n{name}, {book.name}: {len(files):,} pictures, {len(same):,} pairs of one "
                f"block, {len(false):,} of others; {WANTED:.0%} are found at {most:.3f}"
            )
            for threshold in sorted({own or THRESHOLD, THRESHOLD, *(given.at or ())}):
                found, wrong = int((same >= threshold).sum()), int((false >= threshold).sum())
                print(
                    f"  at {threshold:.2f}: {found:,} found ({found / len(same):.1%}), "
                    f"{wrong:,} false pairs ({wrong / len(files):.2f} a picture)"
                )


def _labels(book: Path, files: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Returns block and family of each file, empty where it is not labelled."""
    with (book / "groups.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["file"]: (row["block"], row["family"]) for row in csv.DictReader(table)}
    found = [rows.get(file.relative_to(book).as_posix(), ("", "")) for file in files]
    return [block for block, _ in found], [family for _, family in found]


def _compared(
    vectors: npt.NDArray[np.float32], blocks: Sequence[str], families: Sequence[str]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Returns the cosines of the pairs of one block, and of those of two families."""
    unit = vectors.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    rows, columns = np.triu_indices(len(unit), 1)
    cosines = (unit @ unit.T)[rows, columns]
    block, family = np.array(blocks), np.array(families)
    same = (block[rows] == block[columns]) & (block[rows] != "")
    kin = (family[rows] == family[columns]) & (family[rows] != "")
    return cosines[same], cosines[~kin & ~same]
