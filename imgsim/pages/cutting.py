"""Looks for pictures on scans of pages, and proposes what is found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from imgsim.database.connection import Connection
from imgsim.images import decoding, files
from imgsim.images.boxes import Box
from imgsim.images.decoding import Picture
from imgsim.images.files import Found, Refused
from imgsim.pages import finding, regions
from imgsim.pages.regions import Page, Region
from imgsim.pages.rows import Row
from imgsim.work import Progress, in_parallel, silent

METHOD = "imgsim cut"
AT_ONCE = 64


@dataclass
class Looked:
    """What a look at pages came to.

    Attributes:
        pages: how many were looked at, of which `empty` show no picture.
        new, known: regions that were stored now, and those that were stored before.
        refused: files that cannot be read, and why.
    """

    pages: int = 0
    empty: int = 0
    new: int = 0
    known: int = 0
    states: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)


def look(
    connection: Connection, paths: Iterable[Path], by: str, on_progress: Progress = silent
) -> Looked:
    """Looks for pictures on all pages under paths, and stores what is found as proposals.

    What was stored is kept block by block: a run that was interrupted can be made again, and what
    has been decided about a region stays.

    Raises:
        NotFoundError: a path is not there.
    """
    roots = [Path(root) for root in sorted(files.roots(paths))]
    looked, expected = Looked(), files.count(roots)
    done = 0
    found = (item for item in files.find(roots) if isinstance(item, Found | Refused))
    while block := list(islice(found, AT_ONCE)):
        looked.refused += [item for item in block if isinstance(item, Refused)]
        on_file = list(in_parallel(_regions_on, [i for i in block if isinstance(i, Found)]))
        for pages in on_file:
            for page in pages:
                if isinstance(page, Refused):
                    looked.refused.append(page)
                else:
                    looked.pages += 1
                    looked.empty += not page
        placed = [
            region
            for pages in on_file
            for page in pages
            if not isinstance(page, Refused)
            for region in page
        ]
        version = str(finding.VERSION)
        for state, is_new in regions.store(connection, placed, METHOD, by, version=version):
            looked.states[state] += 1
            looked.new += is_new
            looked.known += not is_new
        done += len(block)
        on_progress("pages", done, max(done, expected))
    return looked


def _regions_on(found: Found) -> list[list[Region] | Refused]:
    """Returns the regions on each page of a file; in place of a page that cannot be read, why."""
    sha256 = files.digest(found)
    if isinstance(sha256, Refused):
        return [sha256]
    pages: list[list[Region] | Refused] = []
    for item in decoding.decode(found, _large_enough):
        pages.append(item if isinstance(item, Refused) else _regions(found, sha256, item))
    return pages


def _large_enough(width: int, height: int) -> tuple[int, int]:
    share = min(1.0, 2 * finding.LONGEST / max(width, height))
    return max(1, round(width * share)), max(1, round(height * share))


def _regions(found: Found, sha256: str, picture: Picture) -> list[Region]:
    page = picture.frame
    across, down = page.width / picture.image.width, page.height / picture.image.height
    placed = []
    for each in finding.find(np.asarray(picture.image.convert("L"))):
        x, y = round(each.box.x * across), round(each.box.y * down)
        right = min(page.width, round((each.box.x + each.box.width) * across))
        bottom = min(page.height, round((each.box.y + each.box.height) * down))
        box = Box(x, y, right - x, bottom - y)
        row = Row(
            *("", found.path, box.x, box.y, box.width, box.height),
            frame=page.number,
            score=each.score,
            kind="picture",
        )
        placed.append(Region(Page(found.path, sha256, ((page.width, page.height),)), row, box))
    return placed
