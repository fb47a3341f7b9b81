"""What two pictures are to each other, judged from how their lines agree; and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgsim.reuse.evidence import ink, matching
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.ink import InkLikeness
from imgsim.reuse.evidence.matching import Registration

if TYPE_CHECKING:
    from imgsim.reuse.evidence.matching import Matrix

Relation = Literal["same block", "same block in part", "copy", "unrelated", "undecided"]
Box = tuple[int, int, int, int]

VERSION = 1
"""Of all that decides what a verification comes to: others are made anew."""

CONSTANT, LINES, PART, AGREEING, FALL = -37.65, 19.4, 25.57, 10.94, -9.31
"""Of a logistic regression on labelled pairs; `python -m benchmarks evidence --fit` fits it anew.

`FALL` weighs by how much less the lines agree than the masses: what tells a copy. The constant is
0.4 higher than fitted: so 97.5 per cent of Wither's initials come above 0.5, and no copy near it.
"""

INLIERS_DOUBTED, INLIERS_SLOPE = 4.5, 1.5
PART_DOUBTED, PART_SLOPE = 0.68, 40.0
PART_INLIERS_DOUBTED, PART_INLIERS_SLOPE = 14.0, 0.5

SAME, UNDECIDED = 0.5, 0.2
WHOLE_OF_ONE, WHOLE_OF_OTHER = 0.75, 0.5
SOMETHING_ELSE = 0.2
COPY_INLIERS, COPY_MASSES, COPY_AGREEING, COPY_OVERLAP = 6, 0.62, 0.52, 0.7
COPY_POINTS = 50
ENOUGH_TO_COMPARE = 3


@dataclass(frozen=True)
class Judgement:
    """What two pictures are to each other.

    Attributes:
        probability: that both are of one block; of a part, that the part is.
        mirrored: the one is compared with left and right exchanged.
        inliers: features that lie where the transform puts them.
        coverage, other_coverage: the share of each picture's ink that agrees with the other.
        correlation: of the ink, line by line, where the pictures overlap; -1 to 1.
        transform: 3 x 3, from pixels of the one to pixels of the other.
        box, other_box: what agrees, in pixels of each: left, top, right, bottom.
        reason: why nothing could be decided, where that is so.
        registration: the inliers themselves.
    """

    relation: Relation
    probability: float
    mirrored: bool = False
    inliers: int = 0
    coverage: float = 0.0
    other_coverage: float = 0.0
    correlation: float = 0.0
    transform: Matrix | None = None
    box: Box | None = None
    other_box: Box | None = None
    reason: str | None = None
    registration: Registration | None = None

    def reversed(self) -> Judgement:
        """The same, seen from the other picture; without the inliers."""
        back = None if self.transform is None else np.linalg.inv(self.transform)
        return replace(
            self,
            coverage=self.other_coverage,
            other_coverage=self.coverage,
            transform=None if back is None else back / back[2, 2],
            box=self.other_box,
            other_box=self.box,
            registration=None,
        )


def judge(one: LocalFeatures, other: LocalFeatures, turned: bool = False) -> Judgement:
    """Compare two pictures, upright and mirrored; the better evidence of the two counts.

    Args:
        turned: accept any rotation on as little evidence as none.
    """
    for features, which in ((one, "one"), (other, "other")):
        if len(features.points) < ENOUGH_TO_COMPARE:
            return undecided(f"the {which} picture has no features to compare")
    plain = _judged(one, other, turned, mirrored=False)
    if plain.relation == "same block":
        return plain
    mirrored = one.mirrored()
    reversed_ = _judged(mirrored, other, turned, mirrored=True)
    best = max(plain, reversed_, key=lambda j: (j.probability, j.inliers))
    if best.relation != "unrelated":
        return best
    return _copied(one, other, False) or _copied(mirrored, other, True) or best


def undecided(reason: str) -> Judgement:
    """Nothing can be said, and why."""
    return Judgement("undecided", 0.5, reason=reason)


def equal(width: int, height: int) -> Judgement:
    """Two files that are the same byte for byte."""
    box = (0, 0, width, height)
    return Judgement(
        *("same block", 1.0, False, 0, 1.0, 1.0, 1.0, np.eye(3), box, box),
        reason="the files are equal",
    )


def probability(inliers: int, likeness: InkLikeness) -> float:
    """That what overlaps was printed from one block."""
    fall = max(0.0, likeness.masses - likeness.lines)
    told = CONSTANT + LINES * likeness.lines + PART * likeness.part
    told += AGREEING * likeness.agreeing + FALL * fall
    return _logistic(told) * _logistic(INLIERS_SLOPE * (inliers - INLIERS_DOUBTED))


def probability_in_part(inliers: int, likeness: InkLikeness) -> float:
    """That the part which agrees was printed from one block."""
    return _logistic(PART_SLOPE * (likeness.part - PART_DOUBTED)) * _logistic(
        PART_INLIERS_SLOPE * (inliers - PART_INLIERS_DOUBTED)
    )


def _copied(one: LocalFeatures, other: LocalFeatures, mirrored: bool) -> Judgement | None:
    """A copy: the masses agree, and hardly any detail does; of a few lines that says nothing."""
    if min(len(one.points), len(other.points)) < COPY_POINTS:
        return None
    transform = ink.propose(one, other)
    likeness = ink.compare(one, other, transform) if transform is not None else None
    if likeness is None or not _is_alike(likeness):
        return None
    nothing = np.zeros((0, 2))
    registration = Registration(transform, nothing, nothing, 0)
    return _told("copy", probability(0, likeness), mirrored, one, likeness, registration)


def _judged(one: LocalFeatures, other: LocalFeatures, turned: bool, mirrored: bool) -> Judgement:
    registration = matching.register(one, other, turned)
    likeness = None
    if registration.transform is not None and registration.inliers >= ENOUGH_TO_COMPARE:
        likeness = ink.compare(one, other, registration.transform)
    if likeness is None:
        return Judgement("unrelated", 0.0, mirrored, registration.inliers)
    relation, sure = _related(registration.inliers, likeness)
    return _told(relation, sure, mirrored, one, likeness, registration)


def _told(
    relation: Relation,
    sure: float,
    mirrored: bool,
    one: LocalFeatures,
    likeness: InkLikeness,
    registration: Registration,
) -> Judgement:
    """The judgement, in pixels of the one as it is, where it was compared mirrored."""
    transform, box = likeness.transform, likeness.box
    if mirrored:
        transform = transform @ [[-1, 0, one.width], [0, 1, 0], [0, 0, 1]]
        box = (one.width - box[2], box[1], one.width - box[0], box[3])
        registration = replace(registration, one=registration.one * [-1, 1] + [one.width, 0])
    return Judgement(
        relation,
        sure,
        mirrored,
        registration.inliers,
        likeness.coverage,
        likeness.other_coverage,
        likeness.lines,
        transform / transform[2, 2],
        box,
        likeness.other_box,
        registration=registration,
    )


def _related(inliers: int, likeness: InkLikeness) -> tuple[Relation, float]:
    sure = probability(inliers, likeness)
    part = probability_in_part(inliers, likeness)
    if sure >= SAME:
        return ("same block" if _is_whole(likeness) else "same block in part"), sure
    if part >= SAME:
        return "same block in part", part
    if sure >= UNDECIDED:
        return "undecided", sure
    return ("copy" if _is_alike(likeness) and inliers >= COPY_INLIERS else "unrelated"), sure


def _is_alike(likeness: InkLikeness) -> bool:
    """Whether the composition agrees, of the greater part of both pictures."""
    whole = min(likeness.overlap, likeness.other_overlap) >= COPY_OVERLAP
    return whole and likeness.masses >= COPY_MASSES and likeness.agreeing >= COPY_AGREEING


def _is_whole(likeness: InkLikeness) -> bool:
    """Whether it is the picture that agrees, and not a frame or another part of it.

    Worn or 1-bit impressions agree a little less everywhere. Where the lines agree well in one
    place, another that does not shows something else.
    """
    one, other = sorted((likeness.overlap, likeness.other_overlap))
    something_else = likeness.part * (1 - likeness.agreeing)
    return other >= WHOLE_OF_ONE and one >= WHOLE_OF_OTHER and something_else < SOMETHING_ELSE


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, value))))
