"""Takes regions out of decoded pages."""

from __future__ import annotations

import math
from dataclasses import replace

from imgsim.images.boxes import Box
from imgsim.images.decoding import DraftSize, Picture, is_blank
from imgsim.images.reasons import UnfitError


def cut_out(picture: Picture, box: Box, number: int | None = None) -> Picture:
    """Returns a region of a page, however small the page was decoded.

    Its frame has the size that the region has in the file.

    Raises:
        UnfitError: the region is not all on the page, or is blank.
    """
    page = picture.frame
    if not box.lies_within(page.width, page.height):
        raise UnfitError(
            f"the region {box} is not all on the page ({page.width:,} x {page.height:,} pixels)"
        )
    across, down = picture.image.width / page.width, picture.image.height / page.height
    right, bottom = box.x + box.width, box.y + box.height
    image = picture.image.crop(
        (
            math.floor(box.x * across),
            math.floor(box.y * down),
            min(picture.image.width, math.ceil(right * across)),
            min(picture.image.height, math.ceil(bottom * down)),
        )
    )
    if is_blank(image):
        raise UnfitError(f"blank: every pixel of the region {box} is the same")
    return Picture(replace(page, width=box.width, height=box.height, box=box, region=number), image)


def draft_for(box: Box, wanted: DraftSize) -> DraftSize:
    """Returns how small a page may be decoded if of this region a size is wanted."""

    def size(width: int, height: int) -> tuple[int, int]:
        across, down = wanted(box.width, box.height)
        # The larger share for both sides: the page may lie turned in its file.
        share = min(1.0, max(across / box.width, down / box.height))
        return math.ceil(width * share), math.ceil(height * share)

    return size
