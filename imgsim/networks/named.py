"""The two pairs of networks that have a name: imgsim's own, and that of the original study."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imgsim.networks import bundled
from imgsim.settings import STUDIED

OWN, IMAGENET = "imgsim", "imagenet"

PAIRS: Mapping[str, tuple[str, ...]] = {OWN: tuple(bundled.BUNDLED), IMAGENET: STUDIED}
"""By their names, which stand for both wherever models are named."""

DEFAULTS = PAIRS[OWN]
"""What a new store gets: they know prints, come with imgsim, and need no network."""


def expanded(names: Iterable[str], stored: Iterable[str] = ()) -> list[str]:
    """Returns each model once, with both of a pair in the place of its name.

    A stored model of that name, which earlier versions allowed, is meant before the pair.

    >>> expanded(["imagenet", "resnet50", "mine"])
    ['resnet18', 'resnet50', 'mine']
    """
    known = set(stored)
    meant = [(text,) if text in known else PAIRS.get(text, (text,)) for text in names]
    return list(dict.fromkeys(name for several in meant for name in several))
