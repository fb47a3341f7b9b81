"""The pipeline: find, plan, decode, embed, store; it can be killed anywhere and run again.

    find ──> plan ──> decode ──> batch ──> embed ──> write

An image's row and its vectors are committed together, so what is stored is whole. A file is locked
(an advisory lock of PostgreSQL) from the moment it is planned until it is written: two ingests of
one folder share the work, and what the other has in hand is looked at again at the end.
"""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from imgsim import images, models
from imgsim.bibliography import ECCO_NAME, name_pattern
from imgsim.catalogue import Catalogue, Record, StoredFrame
from imgsim.database.connection import Connection
from imgsim.images import Found, Frame, Ignored, Refused
from imgsim.planning import FLUSH, Planner, Settled, Step, Work
from imgsim.preprocess import draft_size, prepare

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.embedding import Embedder
    from imgsim.networks import Network

WRITE_PICTURES = 256
WAITING_BATCHES = 8


@dataclass(frozen=True)
class Options:
    """How to ingest; the defaults are the command line's."""

    wanted: tuple[models.Wanted, ...] = tuple(models.Wanted(name) for name in models.DEFAULTS)
    device: str = "auto"
    precision: str = "auto"
    batch_size: int = 32
    workers: int = field(default_factory=lambda: min(8, os.cpu_count() or 1))
    pattern: str = ECCO_NAME
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


def ingest(
    connection: Connection,
    paths: Iterable[Path],
    options: Options,
    on_progress: Progress = lambda summary: None,
) -> Summary:
    """Take the images under `paths` into the store.

    Raises:
        ImgsimError: it cannot work at all (a path does not exist; weights cannot be had, or are
            not the store's). A bad file is no error: it is recorded, and the rest goes on.
    """
    pattern = name_pattern(options.pattern)
    files = _existing(paths)
    pairs = [models.ensure(connection, wanted) for wanted in options.wanted]
    chosen = [model for model, _ in pairs]
    embedder = _embedder({model.name: network for model, network in pairs}, options)
    catalogue = Catalogue(connection, chosen, pattern)
    catalogue.begin_run(_arguments(options, embedder))
    pipeline = _Pipeline(catalogue, chosen, embedder, options, on_progress)
    status = "failed"
    try:
        pipeline.run(files)
        for model in chosen:
            connection.execute("select imgsim.build_embedding_index(%s)", [model.name])
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        if not connection.closed:
            catalogue.end_run(status, pipeline.summary.counts())
    return pipeline.summary


def survey(connection: Connection, paths: Iterable[Path], options: Options) -> Summary:
    """Count what `ingest` would do, changing nothing and decoding nothing."""
    wanted = {w.name for w in options.wanted}
    chosen = [model for model in models.stored(connection) if model.name in wanted]
    catalogue = Catalogue(connection, chosen, name_pattern(options.pattern))
    summary = Summary()
    with ThreadPoolExecutor(options.workers, "hash") as pool:
        planner = Planner(catalogue, [model.name for model in chosen], pool, change=False)
        for step in planner.steps(_existing(paths)):
            if isinstance(step, Refused):
                summary.refuse(step)
                summary.failed += 1
            elif step is not FLUSH:
                summary.count(step.kind)
    return summary


class _Pipeline:
    """The stages after planning, each a generator over what the one before it yields.

    FLUSH goes through all of them: what came before it is stored before anything after it.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        chosen: Sequence[models.Model],
        embedder: Embedder,
        options: Options,
        on_progress: Progress,
    ) -> None:
        self.summary = Summary()
        self._catalogue = catalogue
        self._preprocess = {model.name: model.preprocess for model in chosen}
        self._embedder = embedder
        self._options = options
        self._on_progress = on_progress
        self._unwritten: Counter[Work] = Counter()
        self._spoilt: set[Work] = set()

    def run(self, files: Files) -> None:
        with ThreadPoolExecutor(self._options.workers, "decode") as pool:
            planner = Planner(self._catalogue, list(self._preprocess), pool)
            steps = self._counted(planner.steps(files))
            try:
                for pieces in self._write(self._embed(self._batch(self._decode(steps, pool)))):
                    planner.done(self._finished(pieces))
                    self._on_progress(self.summary)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

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
        return [
            item
            if isinstance(item, Refused)
            else Decoded(item.frame, {name: prepare(name, item.image) for name in wanted})
            for item in decoded
        ]

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
        """Store pieces some hundreds at a time; yields those that are committed."""
        waiting: list[Piece | Refused] = []
        for piece in pieces:
            if piece is not FLUSH:
                waiting.append(piece)
            if waiting and (piece is FLUSH or len(waiting) >= WRITE_PICTURES):
                yield self._written(waiting)
                waiting = []
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
                self._spoilt.add(piece.work)
            else:
                self.summary.pictures += 1
            self._unwritten[piece.work] -= 1
            if self._unwritten[piece.work] == 0:
                finished.append(piece.work)
        for work in finished:
            self.summary.count("failed" if work in self._spoilt else work.kind)
            self._spoilt.discard(work)
            del self._unwritten[work]
        return finished


def _existing(paths: Iterable[Path]) -> Files:
    """The files under paths; the first is asked for at once, so that a wrong path is told early."""
    files = images.find(list(paths))
    return itertools.chain(list(itertools.islice(files, 1)), files)


def _embedder(networks: dict[str, Network], options: Options) -> Embedder:
    from imgsim import embedding

    device = embedding.choose_device(options.device)
    precision = embedding.choose_precision(options.precision, device)
    return embedding.Embedder(networks, device, precision)


def _arguments(options: Options, embedder: Embedder) -> dict[str, object]:
    return {
        "models": [wanted.name for wanted in options.wanted],
        "device": str(embedder.device),
        "precision": str(embedder.precision).removeprefix("torch."),
        "batch_size": options.batch_size,
        "workers": options.workers,
        "name_pattern": options.pattern,
        "limit": options.limit,
    }


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
