"""Draws a small corpus of botanical plates, a known third of which was printed again."""

from __future__ import annotations

import csv
import functools
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imgsim.demo import plates

DESIGNS = 72
REPRINTED = 24
SEED = 1752
BOOKS = (
    ("9900000101", "T900101", 1731, "London", "The compleat herbal, with figures of the plants"),
    ("9900000102", "T900102", 1738, "London", "A curious collection of garden flowers"),
    ("9900000203", "T900203", 1745, "Edinburgh", "Flora Scotica; or, the plants of the north"),
    ("9900000204", "T900204", 1752, "London", "The gardeners kalendar, adorned with cuts"),
    ("9900000305", "T900305", 1757, "Dublin", "The compleat herbal. The second edition"),
    ("9900000306", "T900306", 1763, "London", "Elements of botany for the use of young ladies"),
    ("9900000407", "T900407", 1770, "Philadelphia", "The American gardener's companion"),
    ("9900000408", "T900408", 1776, "London", "A system of vegetables, after Linnaeus"),
    ("9900000509", "T900509", 1783, "Edinburgh", "The poor man's physic garden"),
    ("9900000510", "T900510", 1791, "London", "Beauties of Flora displayed"),
)
FIRST_PRINTED_IN = 6
COLUMNS = (
    *("ecco_id", "estc_id", "ecco_full_title", "ecco_pages", "language_primary", "gatherings"),
    *("publication_year", "publication_decade", "work_id", "publication_place"),
    *("publication_country", "document_type", "sub_category", "authors"),
)
COUNTRIES = {"Dublin": "Ireland", "Edinburgh": "Scotland", "Philadelphia": "USA"}


@dataclass(frozen=True)
class Print:
    """One picture of the corpus: the design it is printed from, and which impression it is."""

    name: str
    design: int
    impression: int


def corpus() -> list[Print]:
    """Returns all pictures of the corpus, named like ECCO's illustrations; always the same."""
    choices = np.random.default_rng(SEED)
    reprinted = set(choices.choice(DESIGNS, REPRINTED, replace=False).tolist())
    prints = []
    for design in range(DESIGNS):
        first_book = int(choices.integers(FIRST_PRINTED_IN))
        prints.append(_print(design, 0, first_book))
        if design in reprinted:
            later = choices.choice(
                np.arange(first_book + 1, len(BOOKS)), int(choices.integers(1, 3)), replace=False
            )
            prints += [_print(design, n + 1, int(book)) for n, book in enumerate(sorted(later))]
    return prints


def _print(design: int, impression: int, book: int) -> Print:
    page = 11 + 4 * design + impression
    return Print(f"{BOOKS[book][0]}{page:04}0_0", design, impression)


def draw(folder: Path, on_progress: Callable[[int, int], None] = lambda done, of: None) -> bool:
    """Draws the corpus into a folder with its `metadata.csv`; returns False if it existed already.

    `known_reuse.csv` says which pictures were printed from which plate.
    """
    if (folder / "metadata.csv").exists():
        return False
    folder.mkdir(parents=True, exist_ok=True)
    prints = corpus()
    for number, item in enumerate(prints):
        picture = plates.draw(item.design)
        if item.impression:
            picture = plates.impression(picture, 100 * item.design + item.impression)
        _write_whole(folder / f"{item.name}.png", functools.partial(picture.save, format="PNG"))
        on_progress(number + 1, len(prints))
    _write_csv(
        folder / "known_reuse.csv",
        ("illustration_id", "plate", "impression"),
        ((p.name, f"plate {p.design}", p.impression + 1) for p in prints),
    )
    _write_csv(folder / "metadata.csv", COLUMNS, _documents())  # last: it says all is there
    return True


def _documents() -> Iterator[tuple[object, ...]]:
    for ecco_id, estc_id, year, place, title in BOOKS:
        country = COUNTRIES.get(place, "England")
        yield (
            *(ecco_id, estc_id, title, 320, "English", "8vo", f"{year}.0", year // 10 * 10),
            *(f"work-{title.split('.')[0].lower().replace(' ', '-')}", place, country),
            *("Monograph", "Science", "NA"),
        )


def first_find(neighbours: Mapping[str, str]) -> tuple[int, int]:
    """Returns how many later impressions have one of the same plate nearest, and their number.

    Args:
        neighbours: for each name the name of its nearest picture.
    """
    plate = {item.name: item.design for item in corpus()}
    later = [item for item in corpus() if item.impression]
    found = sum(plate.get(neighbours.get(item.name, ""), -1) == item.design for item in later)
    return found, len(later)


def example() -> str:
    """Returns the name of the first plate that was printed again."""
    again = {item.design for item in corpus() if item.impression}
    return next(item.name for item in corpus() if item.design in again)


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterator[tuple[object, ...]]) -> None:
    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)

    _write_whole(path, write)


def _write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(descriptor)
    write(Path(temporary))
    Path(temporary).chmod(0o644)
    Path(temporary).rename(path)
