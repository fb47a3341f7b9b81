"""Decodes one file and makes its pictures ready for the networks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgsim.images import cutting, decoding, files
from imgsim.images.boxes import Cut
from imgsim.images.decoding import Frame, Picture
from imgsim.images.files import Found, Refused
from imgsim.images.preprocess import draft_size, prepare
from imgsim.images.reasons import UnfitError
from imgsim.images.stored import WHILE_READ

if TYPE_CHECKING:
    import numpy.typing as npt


OTHER_PAGE = "changed since its regions were found: run imgsim region load again"


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, its pixels prepared for each preprocessing."""

    frame: Frame
    pixels: dict[str, npt.NDArray[np.uint8]]


def frames(
    found: Found,
    wanted: Collection[str],
    max_megapixels: float,
    cuts: Sequence[Cut] = (),
    sha256: str = "",
) -> list[Decoded | Refused]:
    """Returns the frames of a file, at least one; those that cannot be used as refusals.

    Args:
        wanted: the names of the preprocessings.
        cuts: regions, which are taken in place of the pages that they are on.
        sha256: the checksum of the file.
    """
    if any(cut.sha256 != sha256 for cut in cuts):
        # On another scan of the page, or a cropped one, the boxes would hold something else.
        return [Refused(found.path, "read", OTHER_PAGE, size=found.size)]

    def small_enough(width: int, height: int) -> tuple[int, int]:
        return draft_size(wanted, width, height)

    # A page is decoded once for all its regions, of which the smallest wants all its pixels.
    decoded = decoding.decode(found, None if cuts else small_enough, max_megapixels)
    # One after another: a picture counts as memory in use until the next one is asked for.
    prepared = [
        _prepared(found, picture, wanted)
        for item in decoded
        for picture in _pictures(found, item, cuts)
    ]
    if cuts:
        prepared = [_counted(item, len(prepared)) for item in prepared]
    # Its checksum was taken before: vectors of another content must not be stored under it.
    if files.look_at(found.path) != found:
        return [Refused(found.path, "read", WHILE_READ, size=found.size)]
    return prepared or [Refused(found.path, "decode", "no picture in it", size=found.size)]


def _pictures(
    found: Found, item: Picture | Refused, cuts: Sequence[Cut]
) -> Iterator[Picture | Refused]:
    """Yields the regions of a page; the page itself if it has none."""
    if isinstance(item, Refused):
        yield item
        return
    here = [cut for cut in cuts if cut.frame == item.frame.number]
    if not here:
        yield item
    for cut in here:
        try:
            yield cutting.cut_out(item, cut.box, cut.number)
        except UnfitError as exc:
            yield Refused(found.path, "decode", str(exc), cut.frame, found.size)


def _counted(item: Decoded | Refused, count: int) -> Decoded | Refused:
    if isinstance(item, Refused):
        return item
    return replace(item, frame=replace(item.frame, count=count, pages=item.frame.count))


def _prepared(found: Found, item: Picture | Refused, wanted: Collection[str]) -> Decoded | Refused:
    if isinstance(item, Refused):
        return item
    try:
        return Decoded(item.frame, {name: prepare(name, item.image) for name in wanted})
    except MemoryError:
        reason = "not enough memory to resize it"
        return Refused(found.path, "decode", reason, item.frame.number, found.size)
