"""How surely other impressions are found: by networks, and by perceptual hashing as the floor.

Queries are pictures of books that imgsim's own networks were not trained with (Wither 1635, the
seventh volume of Curtis, the Ship of Fools); they are looked for among all prints. Four questions:

  impressions   every impression of a printing block, for the others of that block
  page scans    Curtis' plates as whole pages, photographed apart, for the plate cut out
  reprints      pictures turned, scaled, cropped, inked anew and made 1-bit, for the picture
  pages         pictures set on a page with margins and text, for the picture

Intervals are of 95 per cent, by bootstrap over blocks.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFilter

from benchmarks import measure
from imgsim.errors import WeightsError
from imgsim.images import decoding, preprocess
from imgsim.images.files import Found, Refused
from imgsim.networks import bundled
from imgsim.networks.training import ephemera

if TYPE_CHECKING:
    import numpy.typing as npt

PRINTS = Path(__file__).resolve().parents[2] / "shared" / "prints"
HELD_OUT = ("wither_emblems_1635/", "curtis_botanical_magazine/v07", "ship_of_fools/")
THUMBNAILS = "curtis_botanical_magazine/thumbs/"
PAGE_SCANS = "curtis_botanical_magazine/v07_page_scans/"
INITIALS = "wither_emblems_1635/"
REPRINTS, PAGES = 500, 200
DRAWS = 2000
HASHES = {"phash, 64 bits": 8, "phash, 256 bits": 16}

Embed = Callable[[Sequence[Image.Image]], "npt.NDArray[np.float32]"]


@dataclass(frozen=True)
class Prints:
    """All prints: their names under the folder, themselves, and the block of each or -1."""

    names: list[str]
    images: list[Image.Image]
    blocks: npt.NDArray[np.intp]

    def where(self, *starts: str) -> npt.NDArray[np.intp]:
        """The numbers of those whose names begin so."""
        return np.array([i for i, name in enumerate(self.names) if name.startswith(starts)])


@dataclass(frozen=True)
class Question:
    """Pictures to look for, and which prints are right answers and which may be answers at all.

    Attributes:
        queries: the pictures; or numbers of prints, which are then not among their own answers.
        right: bool (queries, prints).
        allowed: bool (prints).
        groups: of each query the block, or what else is drawn as one in the bootstrap.
    """

    name: str
    queries: list[Image.Image] | npt.NDArray[np.intp]
    right: npt.NDArray[np.bool_]
    allowed: npt.NDArray[np.bool_]
    groups: npt.NDArray[np.intp]


def main(arguments: list[str]) -> None:
    """Ask all questions of all models, and print a table."""
    parser = measure.arguments(__doc__, runs=1)
    parser.add_argument("prints", nargs="?", type=Path, default=PRINTS)
    parser.add_argument(
        "--model",
        action="append",
        help="imgsim's own, torchvision's, or ARCHITECTURE=FILE "
        "(default: imgsim's own and ImageNet's)",
    )
    parser.add_argument("--preprocess", help="another than the model's own")
    given = parser.parse_args(arguments)
    if not given.prints.is_dir():
        print(f"no prints in {given.prints}: this needs the collection of labelled prints")
        return
    measure.heading("torch", "torchvision", "imagehash")
    prints = read(given.prints)
    asked = questions(prints)
    print(f"{len(prints.names):,} prints; " + ", ".join(f"{len(q.right)} {q.name}" for q in asked))
    header = f"{'':<32}{'mAP':>22}{'recall@1':>22}{'@4':>8}{'apart':>8}{'worst':>8}{'best':>8}"
    for name, embed in _embedders(given.model, given.preprocess):
        print(f"\n{name}\n{header}", flush=True)
        stored = embed(prints.images)
        for question in asked:
            print(f"  {question.name:<30}{_answer(question, stored, embed)}", flush=True)


def read(folder: Path) -> Prints:
    """Every print of the collection that is not a thumbnail of another."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix in (".jpg", ".png")]
    names = [str(path.relative_to(folder)) for path in paths]
    kept = [i for i, name in enumerate(names) if not name.startswith(THUMBNAILS)]
    with ThreadPoolExecutor() as pool:
        decoded = list(pool.map(_opened, (paths[i] for i in kept)))
    of = {}
    for table in sorted(folder.glob("*/groups.csv")):
        with table.open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                of[f"{table.parent.name}/{row['file']}"] = row["block"]
    numbers = {block: number for number, block in enumerate(sorted(set(of.values())))}
    chosen = [names[i] for i in kept]
    blocks = np.array([numbers[of[name]] if name in of else -1 for name in chosen])
    return Prints(chosen, decoded, blocks)


def _opened(path: Path) -> Image.Image:
    status = path.stat()
    item = next(decoding.decode(Found(str(path), status.st_size, status.st_mtime_ns)))
    assert not isinstance(item, Refused), item
    return item.image


def questions(prints: Prints) -> list[Question]:
    """The four questions."""
    own, held_out = prints.blocks, prints.where(*HELD_OUT)
    everything = np.ones(len(own), np.bool_)
    same = (own[:, None] == own[None, :]) & (own[:, None] >= 0)
    np.fill_diagonal(same, val=False)
    scans = prints.where(PAGE_SCANS)
    in_groups = np.array([i for i in held_out if same[i].any() and i not in set(scans)])
    initials = np.array([i for i in in_groups if prints.names[i].startswith(INITIALS)])
    plates = everything.copy()
    plates[scans] = False
    rng = np.random.default_rng(1)
    pictures = np.setdiff1d(held_out, scans)
    reprinted = rng.permutation(pictures)[:REPRINTS]
    paged = rng.permutation(pictures)[:PAGES]
    texts = ephemera.texts(256, np.random.default_rng(2))
    right = same | np.eye(len(own), dtype=np.bool_)

    def pictured(
        name: str, numbers: npt.NDArray[np.intp], made: Callable[[Image.Image, int], Image.Image]
    ) -> Question:
        queries = [made(prints.images[number], int(number)) for number in numbers]
        groups = np.where(own[numbers] >= 0, own[numbers], -1 - numbers)
        return Question(name, queries, right[numbers], plates, groups)

    return [
        Question("Wither's initials", initials, same[initials], everything, own[initials]),
        Question("page scans of Curtis", scans, same[scans], plates, own[scans]),
        pictured("1-bit reprints", reprinted, reprint),
        pictured("pictures on a page", paged, lambda image, n: page(image, n, texts)),
    ]


def reprint(image: Image.Image, seed: int) -> Image.Image:
    """Turned to 3 degrees, scaled by 0.8 to 1.25, cropped to 6 % a side, inked, made 1-bit."""
    rng = np.random.default_rng([3, seed])
    grey = image.convert("L")
    scale = float(np.exp(rng.uniform(np.log(0.8), np.log(1.25))))
    size = (max(24, round(grey.width * scale)), max(24, round(grey.height * scale)))
    grey = grey.resize(size, Image.Resampling.BICUBIC)
    paper = int(np.percentile(np.asarray(grey), 90))
    grey = grey.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, fillcolor=paper)
    left, top, right, bottom = rng.uniform(0, 0.06, 4)
    grey = grey.crop(
        (
            *(round(left * size[0]), round(top * size[1])),
            *(round((1 - right) * size[0]), round((1 - bottom) * size[1])),
        )
    )
    if rng.random() < 0.5:
        inked = ImageFilter.MinFilter(3) if rng.random() < 0.5 else ImageFilter.MaxFilter(3)
        grey = Image.blend(grey, grey.filter(inked), rng.uniform(0.2, 0.7))
    values = np.asarray(grey.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.9))), np.float32)
    reach = rng.uniform(0.03, 0.12) * min(grey.size)
    around = np.asarray(grey.filter(ImageFilter.BoxBlur(reach)), np.float32)
    black = values < around - rng.uniform(4, 22)
    specks = rng.random(black.shape)
    black = (black | (specks < 0.004)) & (specks < 0.996)
    return Image.fromarray(np.where(black, 0, 255).astype(np.uint8))


def page(image: Image.Image, seed: int, texts: npt.NDArray[np.uint8]) -> Image.Image:
    """The picture on a page: margins on all sides, lines of text above or below it."""
    rng = np.random.default_rng([4, seed])
    grey = image.convert("L")
    sides = rng.uniform(0.1, 0.4, 2) * grey.width
    ends = rng.uniform(0.15, 0.8, 2) * grey.height
    left, above = int(sides[0]), int(ends[0])
    size = (grey.width + int(sides.sum()), grey.height + int(ends.sum()))
    paper = np.percentile(np.asarray(grey), 90)
    text = Image.fromarray(texts[rng.integers(len(texts))]).resize(size, Image.Resampling.BILINEAR)
    ink = np.asarray(text, np.float32) / 255
    margin = (0.06 * np.array(size)).astype(int)
    ink[: margin[1]] = ink[-margin[1] :] = 0
    ink[:, : margin[0]] = ink[:, -margin[0] :] = 0
    sheet = Image.fromarray((paper * (1 - 0.85 * ink)).astype(np.uint8))
    around = max(2, round(0.03 * grey.width))
    right, foot = left + grey.width, above + grey.height
    sheet.paste(int(paper), (left - around, above - around, right + around, foot + around))
    sheet.paste(grey, (left, above))
    return sheet


def _answer(question: Question, stored: npt.NDArray[np.float32], embed: Embed) -> str:
    queries = question.queries
    vectors = stored[queries] if isinstance(queries, np.ndarray) else embed(queries)
    scores = vectors @ stored.T
    allowed = np.broadcast_to(question.allowed, scores.shape).copy()
    if isinstance(queries, np.ndarray):
        allowed[np.arange(len(scores)), queries] = False
    scores = np.where(allowed, scores, -np.inf)
    right = question.right & allowed
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(right, order, axis=1)
    ranks = np.arange(1, hits.shape[1] + 1)
    precision = (np.cumsum(hits, axis=1) / ranks * hits).sum(1) / hits.sum(1)
    first, four = hits[:, 0].astype(float), hits[:, :4].any(axis=1).mean()
    worst = np.where(right, scores, np.inf).min(1)
    best = np.where(~right & allowed, scores, -np.inf).max(1)
    return (
        f"{_interval(precision, question.groups):>22}{_interval(first, question.groups):>22}"
        f"{four:>8.3f}{(worst > best).mean():>8.3f}{worst.min():>8.3f}{best.max():>8.3f}"
    )


def _interval(values: npt.NDArray[Any], groups: npt.NDArray[np.intp]) -> str:
    """The mean over queries, with its interval by drawing groups."""
    names, of = np.unique(groups, return_inverse=True)
    sums = np.bincount(of, values)
    counts = np.bincount(of)
    drawn = np.random.default_rng(0).integers(len(names), size=(DRAWS, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{values.mean():.3f} ({low:.3f}-{high:.3f})"


def _embedders(
    names: Sequence[str] | None, preprocessing: str | None
) -> Iterator[tuple[str, Embed]]:
    hashing = measure.peer("imagehash")
    if hashing:
        for name, side in HASHES.items():
            yield name, _hasher(hashing, side)
    for name in names or (*bundled.BUNDLED, "resnet18", "resnet50"):
        try:
            yield _network(name, preprocessing)
        except WeightsError as exc:
            print(f"\n{name} is left out: {exc.message}")


def _hasher(imagehash: Any, side: int) -> Embed:
    """Perceptual hashes as unit vectors: their cosine falls with the bits that differ."""

    def embed(pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        with ThreadPoolExecutor() as pool:
            hashed = pool.map(lambda p: imagehash.phash(p, hash_size=side).hash.ravel(), pictures)
            bits = np.stack(list(hashed))
        return np.asarray((2 * bits - 1.0) / side, np.float32)

    return embed


def _network(text: str, preprocessing: str | None) -> tuple[str, Embed]:
    from imgsim.networks import architectures, embedding, models
    from imgsim.settings import PRETRAINED

    name, _, file = text.partition("=")
    architecture = bundled.BUNDLED.get(name, name)
    given = file or (name if name in bundled.BUNDLED else PRETRAINED)
    network = architectures.load(architecture, given)
    prepared = preprocessing or models.preprocess_for(network)
    devices = embedding.choose_devices()
    precision = embedding.choose_precision("auto", devices[0])

    def embed(pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        streams = embedding.Streams(
            lambda device: embedding.Embedder({name: network}, device, precision), devices
        )
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            pixels = list(pool.map(lambda picture: preprocess.prepare(prepared, picture), pictures))
        shapes: dict[tuple[int, ...], list[int]] = {}
        for number, values in enumerate(pixels):
            shapes.setdefault(values.shape, []).append(number)
        vectors = np.empty((len(pictures), network.dimension), np.float32)
        work = [
            numbers[i : i + streams.batch_size]
            for numbers in shapes.values()
            for i in range(0, len(numbers), streams.batch_size)
        ]

        def embedded(batch: list[int]) -> Future[npt.NDArray[np.float32]]:
            return streams.submit(lambda e: e.embed([pixels[i] for i in batch], [name])[name])

        futures = [embedded(batch) for batch in work]
        for batch, future in zip(work, futures, strict=True):
            vectors[batch] = future.result()
        streams.close()
        return vectors

    return f"{text}, {prepared} ({network.dimension})", embed
