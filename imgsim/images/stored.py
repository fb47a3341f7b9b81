"""Opens one picture of a file for whoever has to see it, and only as it was taken in."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, replace

from imgsim.images import cutting, decoding, files
from imgsim.images.boxes import Box
from imgsim.images.decoding import DraftSize, Picture
from imgsim.images.files import Found, Refused
from imgsim.images.reasons import UnfitError

GONE = "there is no such file on this machine"
CHANGED = "changed since it was taken in: run imgsim ingest on it"
WHILE_READ = "changed while it was being read: run the same command again"


@dataclass(frozen=True)
class Content:
    """What a file held when it was taken in: its SHA-256, its size in bytes and its time."""

    sha256: str
    bytes: int
    modified_ns: int


def open_picture(
    path: str,
    frame: int = 1,
    content: Content | None = None,
    draft_size: DraftSize | None = None,
    max_megapixels: float = decoding.MAX_MEGAPIXELS,
    box: Box | None = None,
) -> Picture | Refused:
    """Returns one frame of a file, or a region of it, or why there is none.

    It never raises for a bad file.

    Args:
        path: as Python's file functions take it.
        content: what is stored of the file. If that is no longer its content, it is refused. What
            was taken in is opened however large it is.
        draft_size, max_megapixels: as of `decoding.decode`; the draft is that of the region.
        box: the region; the whole frame without one.
    """
    there = files.look_at(path)
    if isinstance(there, Refused):
        gone = content is not None and not os.path.lexists(path)
        return replace(there, reason=GONE) if gone else there
    if content is not None:
        if refused := _changed(there, content):
            return refused
        max_megapixels = math.inf
    if box and draft_size:
        draft_size = cutting.draft_for(box, draft_size)
    pictures = decoding.decode(there, draft_size, max_megapixels, only=frame)
    picture = next(pictures, None)
    if picture is None:
        return Refused(path, "read", f"the file has no page {frame}", frame, there.size)
    # Another program may have written to it between the two looks.
    if content is not None and files.look_at(path) != there:
        return Refused(path, "read", WHILE_READ, frame, there.size)
    if box is None or isinstance(picture, Refused):
        return picture
    try:
        return cutting.cut_out(picture, box)
    except UnfitError as exc:
        return Refused(path, "decode", str(exc), frame, there.size)


def refused_if_changed(path: str, content: Content) -> Refused | None:
    """Returns a refusal if the file is there with another content than was taken in.

    Its size and time are compared first, its checksum where they differ. A file that is not there
    has not changed: what was found in it is still true of what was taken in.
    """
    there = files.look_at(path)
    return _changed(there, content) if isinstance(there, Found) else None


def _changed(there: Found, content: Content) -> Refused | None:
    if (there.size, there.modified_ns) == (content.bytes, content.modified_ns):
        return None
    sha256 = files.digest(there) if there.size == content.bytes else ""
    if isinstance(sha256, Refused):
        return sha256
    if sha256 == content.sha256:
        return None
    return Refused(there.path, "read", CHANGED, size=there.size)
