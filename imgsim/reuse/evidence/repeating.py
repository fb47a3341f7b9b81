"""Pictures that repeat themselves, as rows of cast ornaments do: what their agreement is worth.

Laid upon itself, shifted, such a picture agrees about as well as with another that was set from
the same ornaments. Only what does not repeat can then tell one block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from imgsim.reuse.evidence import ink, sheets
from imgsim.reuse.evidence.sheets import Laid, Sheet

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.reuse.evidence.features import LocalFeatures
    from imgsim.reuse.evidence.ink import InkLikeness

    Mask = npt.NDArray[np.bool_]

REPEATS, LEAST = 0.6, 0.3
"""Laid upon itself, a pattern agrees so well, of how well it agrees with the other; and at all."""

MOST_REPEATED = 0.55
"""The share of the ink that may repeat before nothing is told by the rest: of rows and borders of
cast ornaments 0.9 and more does, of a fern with like leaves a third to a half."""


def hide(one: LocalFeatures, other: LocalFeatures, likeness: InkLikeness, wanted: float) -> bool:
    """Whether two pictures repeat themselves so that their agreement tells nothing of one block.

    Args:
        wanted: how well the finest lines must agree where neither repeats itself.
    """
    of_one, of_other = (_repeated(each, likeness.finest) for each in (one, other))
    if of_one is None and of_other is None:
        return False
    laid = sheets.lay(sheets.sheet(one), sheets.sheet(other), likeness.transform)
    if any(
        mask is not None and sheets.mean(mask, sheet.weight) > MOST_REPEATED
        for mask, sheet in ((of_one, laid.above), (of_other, laid.below))
    ):
        return True
    left_out = np.zeros(laid.below.ink.shape, bool) if of_other is None else of_other
    if of_one is not None:
        left_out = left_out | (laid.placed(of_one.astype(np.float32)) > 0)
    return ink.finest(laid, left_out) < wanted


def _repeated(features: LocalFeatures, agreeing: float) -> Mask | None:
    """Where a picture's ink is found again in itself; None if it is not a pattern.

    Args:
        agreeing: how the finest lines correlate with the other picture.
    """
    whole = sheets.sheet(features)
    laid = [upon_itself for shift in features.repeats if (upon_itself := _shifted(whole, shift))]
    if max(map(ink.finest, laid), default=0.0) <= max(LEAST, REPEATS * agreeing):
        return None
    found = np.zeros(whole.ink.shape, bool)
    for each in laid:
        # What is above has its like below, and what is below has its like above.
        for way in (each, each.turned_over):
            regions, _ = sheets.correlation(way.upper, way.below.ink, way.overlap, *ink.REGIONS)
            found |= (regions > ink.AGREES) & way.overlap
    return found


def _shifted(whole: Sheet, shift: tuple[float, float]) -> Laid | None:
    """A sheet laid upon itself, shifted by shares of its width and height."""
    height, width = whole.ink.shape
    by = np.array([[1.0, 0, shift[0] * width], [0, 1, shift[1] * height], [0, 0, 1]])
    laid = Laid(whole, whole, by)
    refined = laid.refined(*ink.REFINED)
    # Refined, a picture would be laid upon itself as it is, if that is near.
    if np.linalg.norm((refined.by - by)[:2, 2]) < np.linalg.norm(by[:2, 2]) / 2:
        laid = refined
    return None if ink.hardly_overlap(laid) else laid
