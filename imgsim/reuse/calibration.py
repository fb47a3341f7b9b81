"""What a threshold of a score means, measured on labelled pairs and said in plain sentences.

`sql/calibration.sql` does the measuring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imgsim.database.connection import Connection, Table, table
from imgsim.errors import ImgsimError
from imgsim.formats.tallies import Tally, first_example, tally, total
from imgsim.networks import thresholds
from imgsim.networks.models import Model
from imgsim.reuse import pair_files
from imgsim.reuse.pair_files import NamedPair, PairFile
from imgsim.reuse.verdicts import SAME_BLOCK, verdict_meant
from imgsim.wording import counted

FEW = 20
"""With fewer labelled pairs of either kind the intervals are too wide to choose by."""

PRECISION = 0.95
STEP = 0.01
YES = frozenset({"yes", "y", "true", "t", "1", "1.0"})
NO = frozenset({"no", "n", "false", "f", "0", "0.0"})


@dataclass
class Labels:
    """Pairs from a file that says which are from one block, and tallies of rows that are unclear.

    `pairs.pairs` are all that name two stored images; `same` has those that count, by their ids.
    """

    pairs: PairFile
    same: dict[tuple[int, int], bool] = field(default_factory=dict)
    repeated: Tally = tally("row", "repeated, counted once")
    no_label: Tally = tally("row", "skipped: neither yes, no, nor a verdict")
    contradictions: Tally = tally("row", "skipped: another row contradicts it")

    @property
    def refused(self) -> int:
        """Returns how many rows could not be used."""
        return total((*self.pairs.tallies, *self.tallies))

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """Returns what is wrong with rows that name two images."""
        return self.no_label, self.contradictions


def read_labels(connection: Connection, path: Path) -> Labels:
    """Reads labelled pairs from a file with the columns image, other, and same (or verdict).

    `same` holds yes or no, true or false, 1 or 0, or a verdict.

    Raises:
        ImgsimError: the file cannot be read, lacks a column, or no row of it can be used.
    """
    pairs = pair_files.read(connection, path, optional=["same", "verdict"])
    if pairs.file.find("same") is None and pairs.file.find("verdict") is None:
        pairs.file.position("same", "the first line must name image, other, same")
    labels = Labels(pairs)
    said: dict[tuple[int, int], list[tuple[NamedPair, bool]]] = defaultdict(list)
    for pair in pairs.pairs:
        text = next((value for value in pair.values if value), "")
        same = is_same(text)
        if same is None:
            labels.no_label.add(f"line {pair.line}: {text or 'blank'}")
        else:
            said[pair.ids].append((pair, same))
    for ids, rows in said.items():
        _settle(labels, ids, rows)
    if not labels.same:
        example = first_example((*pairs.tallies, *labels.tallies))
        raise ImgsimError(
            f"cannot use any row of {path}" + (f": {example}" if example else ""),
            "image and other must name stored pictures, and same must say yes or no",
        )
    return labels


def refuse_unusable(labels: Labels) -> None:
    """Checks that every row of the file can be used.

    Raises:
        ImgsimError: a row cannot be used.
    """
    if labels.refused:
        example = first_example((*labels.pairs.tallies, *labels.tallies))
        raise ImgsimError(
            f"cannot use {counted(labels.refused, 'row')} of {labels.pairs.file.path}: {example}",
            "correct them, or remove them from the file",
        )


def is_same(text: str) -> bool | None:
    """Returns whether a label says that two pictures are from one block; None if it is unclear.

    >>> is_same("Yes"), is_same("0"), is_same("same-block"), is_same("copy"), is_same("perhaps")
    (True, False, True, False, None)
    """
    plain = text.strip().casefold()
    if plain in YES or plain in NO:
        return plain in YES
    verdict = verdict_meant(text)
    return None if verdict is None else verdict == SAME_BLOCK


def measure(
    connection: Connection,
    models: Sequence[Model],
    wanted: float = PRECISION,
    step: float = STEP,
    labels: Labels | None = None,
) -> Table:
    """Returns precision and recall of every score at every threshold (`sql/calibration.sql`).

    Args:
        wanted: the precision that a proposed threshold reaches.
        labels: measure on these instead of on what scholars agree on.

    Raises:
        ImgsimError: there is nothing to measure with, or a number is out of range.
    """
    if not 0 < wanted <= 1:
        raise ImgsimError(f"the precision is {wanted:g}", "give one above 0, up to 1")
    given = list(labels.same.items()) if labels else None
    return table(
        connection,
        """
        select *
        from imgsim.calibration(
            %(models)s::text[], %(wanted)s, %(step)s,
            %(image_ids)s::bigint[], %(other_ids)s::bigint[], %(same)s::boolean[])
        """,
        {
            "models": [model.name for model in models],
            "wanted": wanted,
            "step": step,
            "image_ids": None if given is None else [ids[0] for ids, _ in given],
            "other_ids": None if given is None else [ids[1] for ids, _ in given],
            "same": None if given is None else [same for _, same in given],
        },
    )


def sentences(answer: Table, models: Sequence[Model], wanted: float = PRECISION) -> list[str]:
    """Returns what a table of `measure` means: at the models' own thresholds, and which to take."""
    own = {model.name: model for model in models}
    said: list[str] = []
    for score, rows in _by_score(answer).items():
        if score in own:
            said += _of_own_threshold(own[score], rows)
        said.append(_of_proposal(score, rows, wanted))
    return said


def keep(
    connection: Connection,
    answer: Table,
    models: Sequence[Model],
    wanted: float = PRECISION,
    source: str = "verdicts",
) -> list[str]:
    """Makes the thresholds that a table of `measure` proposes the models' own.

    Args:
        source: what was measured on, in the plural.

    Returns:
        What was kept, and what was not and why, a sentence for each model.

    Raises:
        ImgsimError: no model has a threshold to keep; nothing has been changed.
    """
    scores = _by_score(answer)
    told, kept = [], 0
    for model in models:
        rows = scores.get(model.name, [])
        if reason := _why_not(rows, wanted):
            told.append(f"{model.name} keeps {thresholds.of(model)}: {reason}")
            continue
        best = next(row for row in rows if row["proposed"])
        measured_on = f"{best['labelled']:,} {source}, for a precision of {wanted:g}"
        thresholds.keep(connection, model, best["threshold"], measured_on)
        kept += 1
        told.append(
            f"{model.name}: its own threshold is {best['threshold']:g} from now on; "
            f"it was {model.threshold:g}"
        )
    if not kept:
        raise ImgsimError(
            "cannot keep any threshold: " + ("; ".join(told) or "the store has no model"),
            "judge more pairs: imgsim verdict IMAGE IMAGE VERDICT",
        )
    return told


def cautions(answer: Table) -> list[str]:
    """Returns what to bear in mind when reading a table of `measure`."""
    at = {name: number for number, name in enumerate(answer.columns)}
    counts = {
        row[at["score"]]: (row[at["labelled"]], row[at["labelled_same"]]) for row in answer.rows
    }
    # Each score has its own count, of the pairs for which it is known.
    labelled, same = max(counts.values(), default=(0, 0))
    said = []
    if min(same, labelled - same) < FEW:
        said.append(
            f"the intervals are too wide to choose a threshold: labelled are {same:,} from one "
            f"block and {labelled - same:,} others; {FEW} of each are needed"
        )
    for score, (of_score, _) in counts.items():
        if of_score < labelled:
            remedy = "imgsim verify" if score == "evidence" else "imgsim neighbours"
            said.append(f"{score} is known for {of_score:,} of {labelled:,} pairs: {remedy}")
    if "evidence" not in counts:
        said.append("no labelled pair is verified yet: imgsim verify")
    said.append(
        "this is true of pairs like the labelled ones, not of all pairs: most labelled pairs come "
        "from the top of the lists"
    )
    return said


def _settle(labels: Labels, ids: tuple[int, int], rows: list[tuple[NamedPair, bool]]) -> None:
    """Keeps the label of a pair, unless the rows that name it contradict each other."""
    first, same = rows[0]
    if any(other != same for _, other in rows):
        lines = ", ".join(f"{pair.line} ({'yes' if other else 'no'})" for pair, other in rows)
        for pair, _ in rows:
            labels.contradictions.add(f"line {pair.line}: the same pair in lines {lines}")
        return
    labels.same[ids] = same
    for pair, _ in rows[1:]:
        labels.repeated.add(f"line {pair.line}: as line {first.line}")


def _by_score(answer: Table) -> dict[str, list[dict[str, Any]]]:
    scores: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in answer.rows:
        named = dict(zip(answer.columns, row, strict=True))
        scores[named["score"]].append(named)
    return scores


def _why_not(rows: Sequence[dict[str, Any]], wanted: float) -> str:
    """Returns why no threshold can be kept of these rows; empty if one can."""
    if not rows:
        return "it has no vectors of the labelled pairs"
    same = rows[0]["labelled_same"]
    others = rows[0]["labelled"] - same
    if min(same, others) < FEW:
        return (
            f"labelled are {same:,} from one block and {others:,} others; {FEW} of each are needed"
        )
    best = next((row for row in rows if row["proposed"]), None)
    if best is None:
        return f"no threshold reaches a precision of {wanted:g}"
    return "" if best["threshold"] > 0 else "the one proposed is not above 0"


def _of_own_threshold(model: Model, rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    own = thresholds.of(model)
    for row in rows:
        if row["threshold"] != own.value:
            continue
        if not row["pairs"]:
            yield f"{model.name} {own.told}: no labelled pair reaches it"
            continue
        finds = (
            ""
            if row["recall"] is None
            else f", and it finds {_percent(row['recall'])} of all that are"
        )
        verb = "is" if row["same_block"] == 1 else "are"
        yield (
            f"{model.name} {own.told}: {row['same_block']:,} of {row['pairs']:,} labelled "
            f"pairs that reach it {verb} of one block ({_precision(row)}){finds}"
        )


def _of_proposal(score: str, rows: Sequence[dict[str, Any]], wanted: float) -> str:
    proposed = next((row for row in rows if row["proposed"]), None)
    if proposed is None:
        return f"{score}: no threshold reaches a precision of {wanted:g} on these pairs"
    assured = next((row for row in rows if row["assured"]), None)
    sure = (
        f"to be sure of it, {assured['threshold']:g}"
        if assured
        else "too few pairs to be sure of it"
    )
    return (
        f"{score}: for a precision of {wanted:g} take {proposed['threshold']:g} "
        f"({_precision(proposed)}; it finds {_percent(proposed['recall'])}); {sure}"
    )


def _precision(row: dict[str, Any]) -> str:
    low, high = row["precision_low"], row["precision_high"]
    return f"precision {row['precision']:.2f}, {low:.2f} to {high:.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
