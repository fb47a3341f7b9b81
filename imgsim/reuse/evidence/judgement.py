"""What two pictures are to each other, judged from how they agree; and how sure that is.

Three questions, each with a probability: are they of one design (cells, or the ink itself)? Do
their lines agree, as those of two impressions would? Can these scans show that? So
P(same block) = P(design) P(lines), P(copy) = P(design) (1 - P(lines)), and the rest is unrelated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from imgsim.reuse.evidence import matching, repeating
from imgsim.reuse.evidence.ways import LIKELY, UNDECIDED, Way, better_way, in_part

if TYPE_CHECKING:
    from imgsim.reuse.evidence.features import LocalFeatures
    from imgsim.reuse.evidence.ink import InkLikeness
    from imgsim.reuse.evidence.matching import Matrix, Registration

Relation = Literal["same block", "same block in part", "copy", "unrelated", "undecided"]
Box = tuple[int, int, int, int]

VERSION = 2
"""Of all that decides what a verification comes to: others are made anew."""

WHOLE = 0.7
TURNED = 10

TOO_COARSE = "the scans are too coarse to tell one block from a skilled copy"
REPEATED = "the picture repeats itself, as rows of cast ornaments do"
DOUBTFUL = "too near the line to say"


@dataclass(frozen=True)
class Judgement:
    """What two pictures are to each other.

    Attributes:
        probability: that both are of one block; of a part, that the part is.
        copy_probability: that the one was cut after the other, or both after one model.
        mirrored: left and right are exchanged between the two; false where nothing relates them.
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
    copy_probability: float = 0.0
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

    @property
    def angle(self) -> float | None:
        """By how many degrees the one, clockwise, is turned when it lies upon the other."""
        if self.transform is None:
            return None
        (a, b), (d, e) = self.transform[:2, :2]
        flip = -1 if self.mirrored else 1
        return math.degrees(math.atan2(flip * d - b, flip * a + e))

    @property
    def turned_by(self) -> float:
        """The size of the angle where it is a finding: less comes of how a page lay."""
        size = 0.0 if self.angle is None or self.relation == "unrelated" else abs(self.angle)
        return size if size >= TURNED else 0.0

    @property
    def scale(self) -> float | None:
        """How long a pixel of the one is on the other."""
        if self.transform is None:
            return None
        return float(np.sqrt(abs(np.linalg.det(self.transform[:2, :2]))))

    @property
    def unrelated_probability(self) -> float:
        """That neither is so: the three sum to one."""
        return max(0.0, 1 - self.probability - self.copy_probability)

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
        if len(features.points) < matching.FOR_SIMILARITY:
            return undecided(f"the {which} picture has no features to compare")
    return _told(better_way(one, other, turned), other)


def undecided(reason: str) -> Judgement:
    """Nothing can be said, and why."""
    return Judgement("undecided", 1 / 3, 1 / 3, reason=reason)


def equal(width: int, height: int) -> Judgement:
    """Two files that are the same byte for byte."""
    box = (0, 0, width, height)
    return Judgement(
        *("same block", 1.0, 0.0, False, 0, 1.0, 1.0, 1.0, np.eye(3), box, box),
        reason="the files are equal",
    )


def _told(way: Way, other: LocalFeatures) -> Judgement:
    relation, sure, reason = _related(way, other)
    design = max(way.of_one_design, sure)
    judged = Judgement(
        relation, sure, design - sure, inliers=way.registration.inliers, reason=reason
    )
    if way.likeness is None:
        return judged
    likeness, registration, one = way.likeness, way.registration, way.one
    transform, box = likeness.transform, likeness.box
    if way.mirrored:
        # In pixels of the one as it is.
        transform = transform @ [[-1, 0, one.width], [0, 1, 0], [0, 0, 1]]
        box = (one.width - box[2], box[1], one.width - box[0], box[3])
        registration = replace(registration, one=registration.one * [-1, 1] + [one.width, 0])
    return replace(
        judged,
        mirrored=way.mirrored and relation != "unrelated",
        coverage=likeness.coverage,
        other_coverage=likeness.other_coverage,
        correlation=likeness.lines,
        transform=transform / transform[2, 2],
        box=box,
        other_box=likeness.other_box,
        registration=registration,
    )


def _related(way: Way, other: LocalFeatures) -> tuple[Relation, float, str | None]:
    """What the two are, the probability of one block, and why nothing is said where that is so."""
    sure, likeness = way.of_one_block, way.likeness
    part = in_part(way.registration.inliers, likeness) if likeness else 0.0
    if likeness and max(sure, part) >= LIKELY and not way.too_coarse:
        if repeating.hide(way.one, other, likeness, way.wanted):
            return "undecided", LIKELY, REPEATED
        if sure >= LIKELY and _is_whole(likeness):
            return "same block", sure, None
        return "same block in part", max(sure, part), None
    if way.too_coarse and way.of_one_design >= LIKELY:
        return "undecided", sure, TOO_COARSE
    if sure >= UNDECIDED:
        return "undecided", sure, DOUBTFUL
    return ("copy" if way.of_one_design >= LIKELY else "unrelated"), sure, None


def _is_whole(likeness: InkLikeness) -> bool:
    """Whether the greater part of both lies upon the other, and not a detail of one."""
    return min(likeness.overlap, likeness.other_overlap) >= WHOLE
