"""The pictures of a training: small, grey, in one file on disk, and which are held out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from imgsim.images import decoding, files, preprocess
from imgsim.images.files import Refused
from imgsim.work import usable

if TYPE_CHECKING:
    import numpy.typing as npt

SIDE = 192
HELD_OUT = 0.06
MOST_HELD_OUT = 256
FILES_AT_ONCE = 256


@dataclass(frozen=True)
class Pictures:
    """Distinct pictures, each in the middle of a square of SIDE pixels.

    Attributes:
        ink: uint8 (n, SIDE, SIDE), 0 for paper and 255 for the blackest ink; perhaps mapped from
            disk.
        sizes: int (n, 2), the height and width that the picture has in its square.
        held_out: bool (n), which are never trained on but for choosing the best state.
        sha256: of all of the above: what a training that goes on has to go on with.
    """

    ink: npt.NDArray[np.uint8]
    sizes: npt.NDArray[np.int16]
    held_out: npt.NDArray[np.bool_]
    sha256: str


@dataclass
class Gathered:
    """What was gathered: pictures, and what was skipped."""

    pictures: Pictures
    equal: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True)
class Squared:
    """A picture in the middle of its square, uint8 (SIDE, SIDE); its height and width there."""

    ink: npt.NDArray[np.uint8]
    size: tuple[int, int]


def gather(
    paths: Iterable[Path], file: Path, on_progress: Callable[[int], None] = lambda done: None
) -> Gathered:
    """Reads all pictures under paths into a file, prepared as for a network of prints.

    The order is that of the folders; equal pictures are taken once, whatever their files.
    Which pictures are held out depends on the picture alone.

    Args:
        file: where they are kept; written anew.
        on_progress: is told how many files have been read.

    Raises:
        NotFoundError: a path is not there.
        OSError: the file cannot be written.
    """
    seen: set[bytes] = set()
    sizes: list[tuple[int, int]] = []
    whole = hashlib.sha256()
    equal, refused, digests = 0, [], []
    with file.open("wb") as kept:
        for done, items in enumerate(_read(paths), start=1):
            for item in items:
                if isinstance(item, Refused):
                    refused.append(item)
                    continue
                content = item.ink.tobytes()
                digest = hashlib.sha256(content).digest()
                if digest in seen:
                    equal += 1
                    continue
                seen.add(digest)
                digests.append(digest)
                sizes.append(item.size)
                whole.update(digest)
                kept.write(content)
            on_progress(done)
    count = len(sizes)
    ink = (
        np.memmap(file, np.uint8, "r", shape=(count, SIDE, SIDE))
        if count
        else np.empty((0, SIDE, SIDE), np.uint8)
    )
    held = _held_out(digests)
    pictures = Pictures(ink, np.array(sizes, np.int16).reshape(-1, 2), held, whole.hexdigest())
    return Gathered(pictures, equal, refused)


def _read(paths: Iterable[Path]) -> Iterator[list[Squared | Refused]]:
    found = files.find(paths)
    with ThreadPoolExecutor(usable()) as pool:
        # In portions: `map` takes all its input at once, a folder of a million files included.
        while batch := list(islice(found, FILES_AT_ONCE)):
            yield from pool.map(_prepared, batch)


def _prepared(item: files.Item) -> list[Squared | Refused]:
    if isinstance(item, files.Ignored | files.SpeltAlike):
        return []
    if isinstance(item, Refused):
        return [item]
    decoded = decoding.decode(item, lambda width, height: (4 * SIDE, 4 * SIDE))
    return [
        picture if isinstance(picture, Refused) else squared(picture.image) for picture in decoded
    ]


def squared(image: Image.Image) -> Squared:
    """Returns a picture in grey, trimmed, its paper white, in the middle of a square."""
    grey = preprocess.trimmed(preprocess.levelled(image, SIDE))
    scale = SIDE / max(grey.size)
    width, height = (max(1, round(side * scale)) for side in grey.size)
    ink = 255 - np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR))
    square = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    square[top : top + height, left : left + width] = ink
    return Squared(square, (height, width))


def _held_out(digests: list[bytes]) -> npt.NDArray[np.bool_]:
    """Returns the pictures of the lowest hashes: a few in a hundred, whatever else is there."""
    first = np.array([int.from_bytes(digest[:6]) for digest in digests], np.int64)
    count = min(MOST_HELD_OUT, round(HELD_OUT * len(digests)))
    held = np.zeros(len(digests), np.bool_)
    held[np.argsort(first)[:count]] = True
    return held
