"""Reads the pictures of illustrations, as large as they will be printed."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image

from imgsim.images.decoding import DraftSize, Picture
from imgsim.images.files import Refused, path_from_text
from imgsim.images.stored import open_picture
from imgsim.plots.gather import Illustration
from imgsim.plots.layout.style import DPI, MM_PER_INCH


def read(illustration: Illustration, longest: float) -> Image.Image | str:
    """Returns the picture of an illustration, or why there is none; never raises for a bad file.

    Args:
        longest: its longer side in print, in millimetres.
    """
    picture = read_sized(illustration, longest)
    return picture if isinstance(picture, str) else picture.image


def read_sized(illustration: Illustration, longest: float) -> Picture | str:
    """Returns the same with its size in its file, as `frame.width` and `frame.height`."""
    pixels = max(1, round(longest / MM_PER_INCH * DPI))
    picture = read_whole(illustration, lambda w, h: _draft(w, h, pixels))
    if isinstance(picture, str):
        return picture
    image = picture.image.convert("RGB")
    image.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
    return replace(picture, image=image)


def read_whole(illustration: Illustration, draft_size: DraftSize | None = None) -> Picture | str:
    """Returns the picture of an illustration as large as it is, or why there is none."""
    path = path_from_text(illustration.path)
    picture = open_picture(
        *(path, illustration.frame, illustration.content, draft_size), box=illustration.box
    )
    return picture.reason if isinstance(picture, Refused) else picture


def _draft(width: int, height: int, pixels: int) -> tuple[int, int]:
    """Returns the size that a JPEG need not exceed for a thumbnail of some pixels."""
    # Twice as large as needed: a JPEG is drafted in powers of two, and LANCZOS wants some spare.
    share = min(1.0, 2 * pixels / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))
