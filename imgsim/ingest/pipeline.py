"""The stages of an ingest after planning: decode, batch, embed, write.

plan ──> decode ──> batch ──> embed ──> write
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from imgsim import images, models
from imgsim.files import Found, Ignored, Refused
from imgsim.images import Frame, Picture
from imgsim.ingest.catalogue import Catalogue, Record, StoredFrame
from imgsim.ingest.planning import FLUSH, Planner, Settled, Step, Work
from imgsim.preprocess import draft_size, prepare

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.embedding import Embedder

WRITE_PICTURES = 256
WRITE_SECONDS = 2.0
WAITING_BATCHES = 8


@dataclass(frozen=True)
class Options:
    """How to ingest; the defaults are the command line's."""

    wanted: tuple[models.Wanted, ...] = tuple(models.Wanted(name) for name in models.DEFAULTS)
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = 32
    workers: int = field(default_factory=lambda: min(8, os.cpu_count() or 1))
    pattern: str | None = None
    max_megapixels: float = images.MAX_MEGAPIXELS
    limit: int | None = None


@dataclass
class Summary:
    """What came of an ingest, in files; `pictures` counts the frames that were stored."""

    new: int = 0
    changed: int = 0
    completed: int = 0
    unchanged: int = 0
    moved: int = 0
    duplicate: int = 0
    failed: int = 0
    ignored: int = 0
    pictures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        """How many files have been dealt with, but for those that are no images by name."""
        stored = self.new + self.changed + self.completed + self.duplicate
        return stored + self.unchanged + self.moved + self.failed

    def count(self, kind: str) -> None:
        """One more file of that kind."""
        setattr(self, kind, getattr(self, kind) + 1)

    def refuse(self, refused: Refused) -> None:
        """One more failure; its reason is counted by its first words."""
        self.reasons[re.split(r" \(|: ", refused.reason)[0]] += 1

    def counts(self) -> dict[str, int]:
        """The figures by name, for the record of the run."""
        return {name: value for name, value in vars(self).items() if isinstance(value, int)}


@dataclass(frozen=True)
class Decoded:
    """One frame of a file, its pixels prepared for each preprocessing."""

    frame: Frame
    pixels: dict[str, npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class Piece:
    """One frame on its way through the stages, and the work it is part of."""

    work: Work
    content: Decoded | Record | Refused


Passing = Piece | Refused | None
"""What passes between stages: a piece, a file that could not even be looked at, or FLUSH."""

Progress = Callable[[Summary], None]
Files = Iterator[Found | Ignored | Refused]


class Pipeline:
    """The stages after planning, each a generator over what the one before it yields.

    FLUSH goes through all of them: what came before it is stored before anything after it.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        chosen: Sequence[models.Model],
        options: Options,
        on_progress: Progress,
    ) -> None:
        self.summary = Summary()
        self.device_used: dict[str, str] = {}
        self._catalogue = catalogue
        self._models = chosen
        self._preprocess = {model.name: model.preprocess for model in chosen}
        self._options = options
        self._on_progress = on_progress
        self._unwritten: Counter[Work] = Counter()
        self._spoilt: dict[Work, Refused] = {}

    def run(self, files: Files) -> None:
        with ThreadPoolExecutor(self._options.workers, "decode") as pool:
            planner = Planner(self._catalogue, list(self._preprocess), pool)
            # Closed here and not whenever it is collected: it lets go of its locks at the end.
            with contextlib.closing(planner.steps(files)) as planned:
                steps = self._counted(planned)
                try:
                    for pieces in self._write(self._embed(self._batch(self._decode(steps, pool)))):
                        for work in self._finished(pieces):
                            planner.done(work, self._spoilt.pop(work, None))
                        self._on_progress(self.summary)
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise

    @functools.cached_property
    def _embedder(self) -> Embedder:
        """Made when the first picture needs it: a folder without news loads no network."""
        from imgsim import embedding

        weights = {wanted.name: wanted.weights for wanted in self._options.wanted}
        device = embedding.choose_device(self._options.device)
        precision = embedding.choose_precision(self._options.precision, device)
        self.device_used = {"device": str(device), "precision": str(precision)}
        return embedding.Embedder(
            {m.name: models.network_of(m, weights.get(m.name)) for m in self._models},
            device,
            precision,
        )

    def _counted(self, steps: Iterator[Step]) -> Iterator[Work | Refused | None]:
        left = self._options.limit
        for step in steps:
            if isinstance(step, Settled):
                self.summary.count(step.kind)
                if self.summary.files % 500 == 0:
                    self._on_progress(self.summary)
                continue
            yield step
            if isinstance(step, Work) and left is not None:
                left -= 1
                if left == 0:
                    return

    def _decode(
        self, steps: Iterator[Work | Refused | None], pool: ThreadPoolExecutor
    ) -> Iterator[Passing]:
        """Decode files in threads, some way ahead of what is asked for, and in order."""
        ahead: deque[tuple[Work, Future[list[Decoded | Refused]]]] = deque()

        def finished(keep: int) -> Iterator[Piece]:
            while len(ahead) > keep:
                work, future = ahead.popleft()
                yield from self._pieces(work, future.result())

        for step in steps:
            if isinstance(step, Refused):
                yield step
            elif step is FLUSH:
                yield from finished(0)
                yield FLUSH
            elif step.twin:
                yield from self._pieces(step, [_copy_of(stored, step) for stored in step.twin])
            else:
                ahead.append((step, pool.submit(self._decode_file, step)))
                yield from finished(2 * self._options.batch_size)
        yield from finished(0)

    def _pieces(
        self, work: Work, contents: Sequence[Decoded | Record | Refused]
    ) -> Iterator[Piece]:
        self._unwritten[work] = len(contents)
        return (Piece(work, content) for content in contents)

    def _decode_file(self, work: Work) -> list[Decoded | Refused]:
        wanted = {self._preprocess[name] for name in work.models}
        decoded = images.decode(
            work.found,
            lambda width, height: draft_size(wanted, width, height),
            self._options.max_megapixels,
        )
        prepared = [self._prepared(work.found, item, wanted) for item in decoded]
        nothing = Refused(work.found.path, "decode", "no picture in it", size=work.found.size)
        return prepared or [nothing]

    def _prepared(
        self, found: Found, item: Picture | Refused, wanted: set[str]
    ) -> Decoded | Refused:
        if isinstance(item, Refused):
            return item
        try:
            return Decoded(item.frame, {name: prepare(name, item.image) for name in wanted})
        except MemoryError:
            reason = "not enough memory to resize it"
            return Refused(found.path, "decode", reason, item.frame.number, found.size)

    def _batch(self, pieces: Iterator[Passing]) -> Iterator[list[Piece] | Refused | None]:
        """Gather decoded pictures of the same shape; everything else passes by itself."""
        waiting: dict[tuple[object, ...], list[Piece]] = {}
        size = self._options.batch_size
        for piece in pieces:
            if piece is FLUSH:
                yield from waiting.values()
                waiting.clear()
                yield FLUSH
            elif isinstance(piece, Refused):
                yield piece
            elif not isinstance(piece.content, Decoded):
                yield [piece]
            else:
                key = _batch_key(piece.work, piece.content)
                waiting.setdefault(key, []).append(piece)
                in_wait = sum(len(batch) for batch in waiting.values())
                if len(waiting[key]) == size or in_wait == WAITING_BATCHES * size:
                    yield waiting.pop(max(waiting, key=lambda k: len(waiting[k])))
        yield from waiting.values()

    def _embed(self, batches: Iterator[list[Piece] | Refused | None]) -> Iterator[Passing]:
        for batch in batches:
            if not isinstance(batch, list):
                yield batch
            elif isinstance(batch[0].content, Decoded):
                yield from self._embedded(batch)
            else:
                yield from batch

    def _embedded(self, batch: Sequence[Piece]) -> Iterator[Piece]:
        wanted = batch[0].work.models
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        decoded = [piece.content for piece in batch if isinstance(piece.content, Decoded)]
        for preprocess in sorted({self._preprocess[name] for name in wanted}):
            names = [name for name in wanted if self._preprocess[name] == preprocess]
            pixels = [content.pixels[preprocess] for content in decoded]
            vectors |= self._embedder.embed(pixels, names)
        for row, (piece, content) in enumerate(zip(batch, decoded, strict=True)):
            own = {name: rows[row] for name, rows in vectors.items()}
            yield Piece(piece.work, _record(piece.work, content.frame, own))

    def _write(self, pieces: Iterator[Passing]) -> Iterator[list[Piece | Refused]]:
        """Store pieces some hundreds, or some seconds, at a time; yields what is committed."""
        waiting: list[Piece | Refused] = []
        last = time.monotonic()
        for piece in pieces:
            if piece is not FLUSH:
                waiting.append(piece)
            due = len(waiting) >= WRITE_PICTURES or time.monotonic() - last > WRITE_SECONDS
            if waiting and (piece is FLUSH or due):
                yield self._written(waiting)
                waiting = []
                last = time.monotonic()
        if waiting:
            yield self._written(waiting)

    def _written(self, pieces: list[Piece | Refused]) -> list[Piece | Refused]:
        contents = [piece.content if isinstance(piece, Piece) else piece for piece in pieces]
        self._catalogue.write(
            [content for content in contents if isinstance(content, Record)],
            [content for content in contents if isinstance(content, Refused)],
        )
        return pieces

    def _finished(self, pieces: Sequence[Piece | Refused]) -> list[Work]:
        """Count pieces that were stored; the works of which nothing is left to store."""
        finished = []
        for piece in pieces:
            if isinstance(piece, Refused):
                self.summary.refuse(piece)
                self.summary.failed += 1
                continue
            if isinstance(piece.content, Refused):
                self.summary.refuse(piece.content)
                self._spoilt[piece.work] = piece.content
            else:
                self.summary.pictures += 1
            self._unwritten[piece.work] -= 1
            if self._unwritten[piece.work] == 0:
                finished.append(piece.work)
        for work in finished:
            self.summary.count("failed" if work in self._spoilt else work.kind)
            del self._unwritten[work]
        return finished


def _batch_key(work: Work, decoded: Decoded) -> tuple[object, ...]:
    """Pictures with the same key can go through the networks together."""
    shapes = sorted((name, pixels.shape[:2]) for name, pixels in decoded.pixels.items())
    return (work.models, *shapes)


def _record(
    work: Work, frame: Frame, vectors: dict[str, npt.NDArray[np.float32]]
) -> Record | Refused:
    without = [name for name, vector in vectors.items() if not np.isfinite(vector).all()]
    if without:
        reason = f"{', '.join(without)} gave no usable vector (all zero or not finite)"
        return Refused(work.found.path, "embed", reason, frame.number, work.found.size)
    return Record(work.found, work.sha256, frame, vectors, replaces=work.kind == "changed")


def _copy_of(stored: StoredFrame, work: Work) -> Record:
    return Record(
        work.found,
        work.sha256,
        stored.frame,
        twin_id=stored.image_id,
        replaces=work.kind == "changed",
    )
