"""Tells whether a picture has a dark ground, as negatives and white-line engravings have."""

from __future__ import annotations

import numpy as np
from PIL import Image

LONGEST = 256
"""Of the picture whose ground is looked at, in pixels: lines thinner than its ground grey out."""

DARKEST, LIGHTEST = 1, 99
"""Percentiles of the levels that count as black and white."""


def has_dark_ground(image: Image.Image) -> bool:
    """Returns whether more than half of a picture is nearer to its black than to its white."""
    small = image.convert("L")
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    black, middle, white = np.percentile(np.asarray(small), (DARKEST, 50, LIGHTEST))
    return bool(middle < (black + white) / 2)
