"""Pictures found on pages: how many of those boxed by eye, how many false boxes, how fast.

The pages are those of ../shared/prints_hard/pages, or of --pages FOLDER with the same tables. The
thresholds of the finder were chosen on the same pages: others will give less.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from imgsim.images.boxes import Box
from imgsim.pages import finding

PAGES = Path(__file__).resolve().parents[2] / "shared" / "prints_hard" / "pages"
TABLES = ("pages.csv", "pages_gallicorpora.csv")
PICTURES = ("picture", "graphic")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("cutting", description=__doc__)
    parser.add_argument("--pages", type=Path, default=PAGES)
    options = parser.parse_args(arguments)
    truth = read_truth(options.pages)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    seconds = []
    with (options.pages / "pages_list.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            with Image.open(options.pages / "scans" / row["page"]) as opened:
                pixels = np.asarray(opened.convert("L"))
            start = time.perf_counter()
            found = [each.box for each in finding.find(pixels)]
            seconds.append(time.perf_counter() - start)
            counts[row["source"]] += judged(found, truth[row["page"]])
    for source, count in sorted(counts.items()):
        print(
            f"{source}: {count['pages']} pages; of {count['pictures']} pictures "
            f"{count['found']} found, {count['closely']} at IoU 0.75; "
            f"{count['false']} false boxes; of {count['empty']} pages with nothing boxed by eye "
            f"{count['empty hit']} have one"
        )
    print(f"{1000 * np.median(seconds):.0f} ms a page (median), {1000 * max(seconds):.0f} at most")


def read_truth(folder: Path) -> dict[str, list[tuple[Box, str]]]:
    """Returns the boxes drawn by eye on each page, with their kinds."""
    truth: dict[str, list[tuple[Box, str]]] = defaultdict(list)
    for table in TABLES:
        with (folder / table).open(newline="") as file:
            for row in csv.DictReader(file):
                x, y = int(row["left"]), int(row["top"])
                box = Box(x, y, int(row["right"]) - x, int(row["bottom"]) - y)
                truth[row["page"]].append((box, row["kind"]))
    return truth


def judged(found: list[Box], truth: list[tuple[Box, str]]) -> Counter[str]:
    """Returns what was found and missed on one page; a stamp that was found is not false."""
    pictures = [box for box, kind in truth if kind in PICTURES]
    best = [max((overlap(box, each) for each in found), default=0.0) for box in pictures]
    false = [b for b in found if max((overlap(b, each) for each, _ in truth), default=0.0) < 0.3]
    return Counter(
        {
            "pages": 1,
            "pictures": len(pictures),
            "found": sum(share >= 0.5 for share in best),
            "closely": sum(share >= 0.75 for share in best),
            "false": len(false),
            "empty": not truth,
            "empty hit": not truth and bool(found),
        }
    )


def overlap(one: Box, other: Box) -> float:
    """Returns the intersection of two boxes over their union."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (one.width * one.height + other.width * other.height - both)
