"""Decodes one file and makes its pictures ready for the networks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imgsim.images import decoding, files
from imgsim.images.decoding import Frame, Picture
from imgsim.images.files import Found, Refused
from imgsim.images.preprocess import draft_size, prepare
from imgsim.images.stored import WHILE_READ

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, its pixels prepared for each preprocessing."""

    frame: Frame
    pixels: dict[str, npt.NDArray[np.uint8]]


def frames(found: Found, wanted: Collection[str], max_megapixels: float) -> list[Decoded | Refused]:
    """Returns the frames of a file, at least one; those that cannot be used as refusals.

    Args:
        wanted: the names of the preprocessings.
    """
    decoded = decoding.decode(
        found, lambda width, height: draft_size(wanted, width, height), max_megapixels
    )
    # One after another: a picture counts as memory in use until the next one is asked for.
    prepared = [_prepared(found, item, wanted) for item in decoded]
    # Its checksum was taken before: vectors of another content must not be stored under it.
    if files.look_at(found.path) != found:
        return [Refused(found.path, "read", WHILE_READ, size=found.size)]
    return prepared or [Refused(found.path, "decode", "no picture in it", size=found.size)]


def _prepared(found: Found, item: Picture | Refused, wanted: Collection[str]) -> Decoded | Refused:
    if isinstance(item, Refused):
        return item
    try:
        return Decoded(item.frame, {name: prepare(name, item.image) for name in wanted})
    except MemoryError:
        reason = "not enough memory to resize it"
        return Refused(found.path, "decode", reason, item.frame.number, found.size)
