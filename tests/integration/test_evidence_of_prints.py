"""Real prints with known blocks: what is of one block is found, and nothing else is called so."""

from __future__ import annotations

import csv
import functools
import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from benchmarks import labelled
from benchmarks.labelled import Prints
from imgsim.images import decoding
from imgsim.reuse.evidence import features, judgement
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.work import in_parallel

Features = Callable[[str], LocalFeatures]
Pairs = list[tuple[str, str]]
SAME = "same block"


@pytest.fixture(scope="module")
def print_(prints: Path) -> Features:
    """The features of a print, by its name under the folder."""

    @functools.cache
    def found(name: str) -> LocalFeatures:
        with Image.open(prints / name) as opened:
            return features.find(decoding.to_grey_or_rgb(opened))

    return found


@pytest.fixture(scope="module")
def blocks(prints: Path) -> dict[str, tuple[str, str]]:
    """The family and the block of labelled prints."""
    known = {}
    for table in sorted(prints.glob("*/groups.csv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                known[f"{table.parent.name}/{row['file']}"] = (row["family"], row["block"])
    return known


def judged(found: Features, pairs: Pairs) -> list[Judgement]:
    tasks = [(found(one), found(other)) for one, other in pairs]
    return list(in_parallel(lambda task: judgement.judge(*task), tasks))


def of_one_book(names: Iterable[str], *books: str) -> Pairs:
    return [
        (one, other)
        for book in books
        for one, other in itertools.combinations([n for n in names if n.startswith(book)], 2)
    ]


@pytest.mark.slow
def test_small_initials_of_one_block_are_told_from_other_blocks_of_like_design(
    print_: Features, blocks: dict[str, tuple[str, str]]
) -> None:
    some = [name for name in blocks if name.startswith("wither")][::5]
    pairs = of_one_book(some, "wither")
    relations = [each.relation == SAME for each in judged(print_, pairs)]
    same = [blocks[one][1] == blocks[other][1] for one, other in pairs]
    assert sum(same) > 30
    found = sum(r and s for r, s in zip(relations, same, strict=True))
    assert found / sum(same) >= 0.95
    assert found / sum(relations) >= 0.99


def test_no_copy_cut_anew_is_called_the_same_block(
    print_: Features, blocks: dict[str, tuple[str, str]]
) -> None:
    pairs = of_one_book(blocks, "banbury", "ashton", "ship")
    copies = [
        (one, other)
        for one, other in pairs
        if blocks[one][0] == blocks[other][0] and blocks[one][1] != blocks[other][1]
    ]
    reprints = [(one, other) for one, other in pairs if blocks[one][1] == blocks[other][1]]
    assert len(copies) == 7
    assert len(reprints) == 13
    assert all(each.relation != SAME for each in judged(print_, copies))
    assert all(each.relation == SAME for each in judged(print_, reprints))


def test_different_pictures_in_one_frame_are_not_called_the_same_block(
    print_: Features, prints: Path
) -> None:
    folder = "bewick_select_fables"
    with (prints / folder / "shared_frame_pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::5]
    pairs = [(f"{folder}/{row['file_a']}", f"{folder}/{row['file_b']}") for row in rows]
    relations = [each.relation for each in judged(print_, pairs)]
    assert len(relations) > 12
    assert SAME not in relations
    assert "same block in part" in relations


def test_a_plate_is_found_on_the_scan_of_its_page(
    print_: Features, blocks: dict[str, tuple[str, str]]
) -> None:
    book = "curtis_botanical_magazine"
    pages = [name for name in blocks if name.startswith(f"{book}/v07_page_scans")]
    plates = {blocks[name]: name for name in blocks if name.startswith(f"{book}/v07_i")}
    pairs = [(page, plates[blocks[page]]) for page in pages][::3]
    relations = [each.relation for each in judged(print_, pairs)]
    assert len(relations) == 12
    assert sum(relation == SAME for relation in relations) >= 11


def test_mirrored_prints_are_found_and_called_mirrored(print_: Features, prints: Path) -> None:
    names = [str(p.relative_to(prints)) for p in sorted((prints / "orbis_pictus").glob("*"))]
    names = [name for name in names if name.endswith((".png", ".jpg"))][::18]
    for name in names:
        with Image.open(prints / name) as opened:
            mirrored = features.find(ImageOps.mirror(decoding.to_grey_or_rgb(opened)))
        judgement_ = judgement.judge(print_(name), mirrored)
        assert (judgement_.relation, judgement_.mirrored) == (SAME, True), name


@pytest.fixture(scope="module")
def hard(prints_hard: Path) -> tuple[Prints, dict[str, Pairs]]:
    """Hard prints, and their pairs by the question that they answer."""
    asked = {q.name: q.pairs for q in labelled.hard_questions(prints_hard) if q.made is None}
    return Prints(prints_hard), asked


@pytest.mark.slow
def test_worn_impressions_are_of_one_block_and_their_copies_are_not(
    hard: tuple[Prints, dict[str, Pairs]],
) -> None:
    prints_, asked = hard
    same = [each.relation for each in judged(prints_.features, asked["chapbooks, same"][::9])]
    assert len(same) == 50
    assert sum(relation.startswith(SAME) for relation in same) >= 45
    copies = [each.relation for each in judged(prints_.features, asked["chapbooks, copy"])]
    assert len(copies) == 91
    assert sum(relation.startswith(SAME) for relation in copies) <= 3
    assert copies.count("copy") >= 62
    others = [each.relation for each in judged(prints_.features, asked["chapbooks, other"][::9])]
    assert len(others) == 52
    assert not any(relation.startswith(SAME) for relation in others)


@pytest.mark.slow
def test_skilled_copies_are_undecided_where_the_scans_show_no_lines(
    hard: tuple[Prints, dict[str, Pairs]],
) -> None:
    prints_, asked = hard
    told = judged(prints_.features, asked["Hogarth, skilled copies"])
    assert len(told) == 18
    assert all(each.probability < 0.5 for each in told)
    assert not any(each.relation.startswith(SAME) for each in told)
    assert sum("too coarse" in (each.reason or "") for each in told) >= 15
