"""Opens image files with Pillow, however many pixels they declare."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError, features
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

# Pillow loads its readers on demand, but not for an explicit list of formats.
Image.init()

FORMATS = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000") + (
    ("AVIF",) if features.check("avif") else ()
)


class _Tiff(TiffImageFile):
    """A TIFF that is loaded without Pillow's second look at its size."""

    def load_prepare(self) -> None:
        size = getattr(self, "_tile_size", None)  # Pillow before 11.1 has none, and does not look
        if self._im is None and size:
            self._im = Image.core.new(self.mode, size)  # type: ignore[attr-defined]
        ImageFile.load_prepare(self)


def open_image(file: BinaryIO, formats: tuple[str, ...] = FORMATS) -> ImageFile:
    """Returns a file opened as `PIL.Image.open` does, but however large it says it is.

    Pillow's own limit is a setting of the whole process, which is not ours: `decoding.decode` has
    one of its own. A WebP is opened up to Pillow's, for it takes its memory as it is opened.

    Raises:
        UnidentifiedImageError: it is none of the formats.
        Image.DecompressionBombError: it is a WebP larger than Pillow's limit.
    """
    file.seek(0)
    start = file.read(16)
    for name in formats:
        factory, accept = Image.OPEN[name]
        factory = _Tiff if name == "TIFF" else factory
        accepted = accept is None or accept(start)
        if accepted and not isinstance(accepted, str):
            file.seek(0)
            with suppress(SyntaxError, IndexError, TypeError, struct.error):
                return factory(file, "")
    raise UnidentifiedImageError
