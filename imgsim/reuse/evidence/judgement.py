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

from imgsim.reuse.evidence import alignment, cells, ink, matching
from imgsim.reuse.evidence.features import LocalFeatures
from imgsim.reuse.evidence.ink import InkLikeness
from imgsim.reuse.evidence.matching import Registration

if TYPE_CHECKING:
    from imgsim.reuse.evidence.matching import Matrix

Relation = Literal["same block", "same block in part", "copy", "unrelated", "undecided"]
Box = tuple[int, int, int, int]

VERSION = 2
"""Of all that decides what a verification comes to: others are made anew."""

DESIGN_CONSTANT, DESIGN_EXCESS, DESIGN_MASSES = -0.8, 34.0, 2.7
"""Of a logistic regression on copies and on near neighbours that are none: `python -m benchmarks
evidence_fit` fits it anew, as all that follows."""

DESIGN_LOW, DESIGN_LOW_SLOPE = 0.05, 60.0
"""How well the ink must agree, of all but a quarter: line drawings with much paper have like cells
though their ink agrees nowhere; of 78 copies 75 agree better."""

HOPELESS = -0.08
"""Below that excess of their cells, pictures are not aligned but by details: nothing was found
there in thousands of pairs, and most pairs are of that kind."""

LINES_SLOPE = 26.0
SIDES = (75, 118, 165, 235, 290, 320)
LINES_WANTED = (0.6, 0.56, 0.44, 0.345, 0.175, 0.165)
"""How well the finest lines must agree if both scans show so many pixels: the fewer, the coarser
these lines are, and the better they agree of copies too."""

CLEAR, CLEARER = 0.57, 0.66
CLEARER_WANTED, COARSEST_CLEARER = 0.385, 105
"""By how much more in clear scans, where those of impressions agree from 0.7 on, of skilled copies
up to 0.37; down to that side."""

LOW_WANTED, LOW_SLOPE = 0.25, 40.0
COARSE, UNMISTAKABLE = 0.43, 0.85
BLURRED, UNMISTAKABLE_BLURRED = 0.6, 0.95
COARSE_SAME = 0.4
"""Where lines cannot be seen, a skilled copy looks like an impression. To call it the same block
would be the worse error, so the chance is put below a half."""

PART_DOUBTED, PART_SLOPE = 0.68, 40.0
PART_INLIERS_DOUBTED, PART_INLIERS_SLOPE = 14.0, 0.5

LIKELY, UNDECIDED = 0.5, 0.2
WHOLE = 0.7
MIRRORED_DETAILS = 6
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


@dataclass(frozen=True)
class Way:
    """The one picture, as it is or mirrored, against the other.

    Attributes:
        excess: of their cells.
        likeness: of their ink, where they could be laid upon each other.
        beyond_wanted: by how much more the finest lines agree than they must.
        in_lines: the probability that the lines agree, as far as the scans can show it.
        too_coarse: a skilled copy would look like this too.
    """

    one: LocalFeatures
    mirrored: bool
    excess: float
    registration: Registration
    likeness: InkLikeness | None = None
    beyond_wanted: float = -1.0
    in_lines: float = 0.0
    too_coarse: bool = False

    @property
    def masses(self) -> float:
        """How well their masses agree, 0 where they could not be laid upon each other."""
        return max(0.0, self.likeness.masses) if self.likeness else 0.0

    @property
    def of_one_design(self) -> float:
        """The probability that both are of one design; lines that agree are proof of it."""
        told = DESIGN_CONSTANT + DESIGN_EXCESS * self.excess + DESIGN_MASSES * self.masses
        low = self.likeness.low if self.likeness else -1.0
        seen = _logistic(told) * _logistic(DESIGN_LOW_SLOPE * (low - DESIGN_LOW))
        return max(seen, 0.0 if self.too_coarse else self.in_lines)

    @property
    def of_one_block(self) -> float:
        """The probability that both are of one block."""
        return self.of_one_design * self.in_lines


def judge(one: LocalFeatures, other: LocalFeatures, turned: bool = False) -> Judgement:
    """Compare two pictures, upright and mirrored; the better evidence of the two counts.

    Args:
        turned: accept any rotation on as little evidence as none.
    """
    for features, which in ((one, "one"), (other, "other")):
        if len(features.points) < matching.FOR_SIMILARITY:
            return undecided(f"the {which} picture has no features to compare")
    return _told(better_way(one, other, turned), other)


def better_way(one: LocalFeatures, other: LocalFeatures, turned: bool = False) -> Way:
    """The one picture against the other as it is, or mirrored, if that is the better evidence."""
    upright = _way(one, other, turned, mirrored=False)
    if upright.of_one_block >= LIKELY and not upright.too_coarse:
        return upright
    mirrored = _way(one.mirrored(), other, turned, mirrored=True)
    return max((upright, mirrored), key=_worth)


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


def lines_wanted(clearness: float, side: int) -> float:
    """How well the finest lines must agree, for as good a chance of one block as of none.

    Args:
        clearness: of the two scans, the mean.
        side: how many pixels long both can be shown.
    """
    wanted = float(np.interp(np.log2(side), np.log2(SIDES), LINES_WANTED))
    clear = float(np.interp(clearness, (CLEAR, CLEARER), (0, 1)))
    wanted += (
        CLEARER_WANTED
        * clear
        * float(np.interp(np.log2(side), np.log2((COARSEST_CLEARER, SIDES[-1])), (0, 1)))
    )
    return wanted


def in_part(inliers: int, likeness: InkLikeness) -> float:
    """The probability that the part which agrees was printed from one block."""
    return _logistic(PART_SLOPE * (likeness.part - PART_DOUBTED)) * _logistic(
        PART_INLIERS_SLOPE * (inliers - PART_INLIERS_DOUBTED)
    )


def _way(one: LocalFeatures, other: LocalFeatures, turned: bool, mirrored: bool) -> Way:
    registration = matching.register(one, other, turned)
    found = cells.compare(one.cells.upright, other.cells.upright)
    way = Way(one, mirrored, found.excess, registration)
    least = MIRRORED_DETAILS if mirrored else matching.FOR_SIMILARITY
    proposed = alignment.turned(one, other, sideways=turned)
    if found.excess < HOPELESS and registration.inliers < least and not proposed:
        return way
    if found.transform is not None:
        proposed.insert(0, _in_pixels(found.transform, one, other))
    laid = alignment.align(one, other, registration, proposed)
    likeness = ink.compare(one, other, laid.transform) if laid else None
    if likeness is None:
        return way
    clearness = (one.clearness + other.clearness) / 2
    beyond = likeness.finest - lines_wanted(clearness, min(one.resolved, other.resolved))
    everywhere = _logistic(LOW_SLOPE * (likeness.low - LOW_WANTED))
    sure = _logistic(LINES_SLOPE * beyond) * everywhere
    grey = clearness < COARSE and likeness.finest < UNMISTAKABLE
    blurred = any(map(_is_blurred, (one, other))) and likeness.finest < UNMISTAKABLE_BLURRED
    too_coarse = sure >= UNDECIDED and (grey or blurred)
    return replace(
        way,
        likeness=likeness,
        beyond_wanted=beyond,
        in_lines=min(sure, COARSE_SAME) if too_coarse else sure,
        too_coarse=too_coarse,
    )


def _is_blurred(features: LocalFeatures) -> bool:
    """Whether a scan shows far less than its pixels could: its finest lines are lost."""
    shown: int = min(max(features.ink.shape), features.longest)
    return features.resolved < BLURRED * shown


def _worth(way: Way) -> tuple[float, float, int]:
    part = in_part(way.registration.inliers, way.likeness) if way.likeness else 0.0
    return max(way.of_one_block, part), way.excess, way.registration.inliers


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
        if _repeat(way.one, other, likeness):
            return "undecided", LIKELY, REPEATED
        if sure >= LIKELY and _is_whole(likeness):
            return "same block", sure, None
        return "same block in part", max(sure, part), None
    if way.too_coarse and way.of_one_design >= LIKELY:
        return "undecided", sure, TOO_COARSE
    if sure >= UNDECIDED:
        return "undecided", sure, DOUBTFUL
    return ("copy" if way.of_one_design >= LIKELY else "unrelated"), sure, None


def _repeat(one: LocalFeatures, other: LocalFeatures, likeness: InkLikeness) -> bool:
    return any(ink.repeats(features, likeness.finest) for features in (one, other))


def _is_whole(likeness: InkLikeness) -> bool:
    """Whether the greater part of both lies upon the other, and not a detail of one."""
    return min(likeness.overlap, likeness.other_overlap) >= WHOLE


def _in_pixels(transform: Matrix, one: LocalFeatures, other: LocalFeatures) -> Matrix:
    """A transform of cells as one of pixels."""
    in_pixels: Matrix = _from_cells(other) @ transform @ np.linalg.inv(_from_cells(one))
    return in_pixels


def _from_cells(features: LocalFeatures) -> Matrix:
    """3 x 3, from places in cells to places in pixels of the picture."""
    left, top, right, bottom = features.cells.box
    grid = features.cells.upright
    height, width = features.ink.shape
    across, down = features.width / width, features.height / height
    return np.array(
        [
            [across * (right - left) / grid.columns, 0, across * left],
            [0, down * (bottom - top) / grid.rows, down * top],
            [0, 0, 1],
        ]
    )


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, value))))
