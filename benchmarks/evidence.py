"""How surely impressions of one block are told from copies, shared frames and chance likeness.

Labelled pairs of two collections of prints are judged as `imgsim verify` judges them; pictures are
made 1-bit, mirrored or smaller for some of the questions. With --peers the pairs of chapbook cuts
are also scored by a plain count of matching details, by a perceptual hash and by the cosine of the
vectors. With --end-to-end a store is made of all prints: ingested, neighbours found, verified,
grouped; the groups are held against the labels, and the time, the pairs a second and the bytes an
image are told. Intervals are Wilson's, of 95 per cent.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import evidence_peers, labelled, measure, ornaments
from benchmarks.export_memory import peak_of
from benchmarks.labelled import Prints, Question
from benchmarks.retrieval import PRINTS
from benchmarks.stores import temporary_store
from imgsim.database.connection import Connection
from imgsim.reuse.evidence import judgement
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.judgement import Judgement
from imgsim.work import in_parallel

SAME, PART = "same block", "same block in part"
RELATIONS = (SAME, PART, "copy", "undecided", "unrelated")
SETTINGS = 60
Z = 1.96


def main(arguments: list[str]) -> None:
    """Judge all pairs, and print what they were called."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("prints", nargs="?", type=Path, default=PRINTS)
    parser.add_argument("--hard", type=Path, default=labelled.HARD, help="the harder collection")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--end-to-end", action="store_true")
    parser.add_argument("--model", default="resnet18-print", help="for --end-to-end")
    given = parser.parse_args(arguments)
    measure.heading("opencv-python-headless", "pillow", "torch")
    if given.end_to_end:
        end_to_end(given.prints, labelled.labels(given.prints), given.model)
        return
    asked, prints = [], Prints(given.prints, given.hard)
    if given.hard.is_dir():
        asked += labelled.hard_questions(given.hard)
        if given.peers:
            evidence_peers.compare(prints, asked)
            return
    if given.prints.is_dir():
        asked += labelled.questions(given.prints, labelled.labels(given.prints))
    if not asked:
        print(f"no prints in {given.prints}: only patterns can be asked about")
    heads = "".join(f"{relation.replace('same block', 'same'):>14}" for relation in RELATIONS)
    print(f"\n{'':<40}{'pairs':>7}{heads}")
    for question in asked:
        _ask(question.name, partial(prints.of, question), question)
    pairs = [[labelled.kept(side) for side in pair] for pair in ornaments.settings(SETTINGS)]
    _ask("rows and borders of cast ornaments", lambda: pairs, Question("", [], False))


def _ask(name: str, pairs: Callable[[], Iterable[Sequence[LocalFeatures]]], of: Question) -> None:
    list(pairs())  # so that their features are not timed with them
    began = time.perf_counter()
    judged = list(in_parallel(lambda p: judgement.judge(p[0], p[1]), pairs()))
    taken = time.perf_counter() - began
    called: Counter[str] = Counter(each.relation for each in judged)
    line = "".join(f"{called[r]:>14,}" for r in RELATIONS)
    print(
        f"{name:<40}{len(judged):>7,}{line}   {_further(of, judged)}; {len(judged) / taken:.0f}/s"
    )


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
            (select avg(length(features) + length(ink) + length(cells)) from imgsim.local_feature)
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
    true = {
        pair for pair in itertools.combinations(sorted(blocks), 2) if labelled.same(blocks, pair)
    }
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


def interval(count: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share, of 95 per cent."""
    if not of:
        return 0.0, 1.0
    share, spread = count / of, Z**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / of + spread / of / 4) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _further(question: Question, judged: Sequence[Judgement]) -> str:
    if question.made is labelled.mirrored:
        count = sum(each.mirrored and each.relation == SAME for each in judged)
        return f"{count} found and called mirrored"
    count = sum(each.relation == SAME for each in judged)
    low, high = interval(count, len(judged))
    share = f"{count / len(judged):.3f} ({low:.3f} to {high:.3f})"
    return f"recall {share}" if question.same else f"false {share}"
