"""The stages of an ingest: plan, decode, batch, embed, write.

plan ──> decode ──> batch ──> embed ──> write

Planning has a thread of its own, and so have the handing over from stage to stage and writing;
decoding and embedding have several. So each goes on while another waits for the disk, the database
or the networks, and queues of a fixed length between them hold the slow one's work ready. The
thread that called only shows how far it is: Ctrl-C, which comes there, breaks no transaction off.
"""

from __future__ import annotations

import functools
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from imgsim.collection.images import Images, StoredFrame
from imgsim.collection.locks import Locks
from imgsim.collection.writing import Record, Writer
from imgsim.images.decoding import Frame
from imgsim.images.files import Item, Refused
from imgsim.ingest import preparing
from imgsim.ingest.ahead import Ahead
from imgsim.ingest.options import Options
from imgsim.ingest.planning import FLUSH, Planner, Settled, Step, Work
from imgsim.ingest.preparing import Decoded
from imgsim.ingest.summary import PassedOver, Progress, Summary
from imgsim.networks import models

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.networks.embedding import Embedder, Streams

WRITE_PICTURES = 256
WRITE_SECONDS = 2.0
PLANNED_AHEAD = 128
DECODED_AHEAD = 64
WAITING = 128


@dataclass(frozen=True)
class Piece:
    """One frame on its way through the stages, and the work it is part of."""

    work: Work
    content: Decoded | Record | Refused


Passing = Piece | Refused | Settled | PassedOver | None
"""What passes between stages: a piece, a refused file, files that need no work, or FLUSH."""


class Pipeline:
    """The stages, each a generator over what the one before it yields.

    FLUSH goes through all of them: what came before it is stored before anything after it is
    planned.
    """

    def __init__(
        self,
        images: Images,
        locks: Locks,
        writer: Writer,
        chosen: Sequence[models.Model],
        options: Options,
        on_progress: Progress,
    ) -> None:
        self.summary = Summary()
        self.timings = self.summary.timings
        self.device_used: dict[str, str] = {}
        self._images = images
        self._locks = locks
        self._writer = writer
        self._models = chosen
        self._preprocess = {model.name: model.preprocess for model in chosen}
        self._options = options
        self._on_progress = on_progress
        self._unwritten: Counter[Work] = Counter()
        self._spoilt: dict[Work, Refused] = {}
        self._made_streams: Streams | None = None

    def run(self, files: Iterator[Item]) -> None:
        names = list(self._preprocess)
        with ThreadPoolExecutor(self._options.workers, "decode") as pool:
            planner = Planner(self._images, self._locks, names, pool, self.timings)
            planned = Ahead(
                planner.steps(self.timings.each("find", files)),
                "plan",
                PLANNED_AHEAD,
                pauses=lambda step: step is FLUSH,
            )
            done = Ahead(
                self._embed(self._batch(self._decode(self._limited(planned), pool))),
                "hand over",
                WRITE_PICTURES,
                lambda: self.timings.awaiting("write"),
            )
            stored = Ahead(self._store(iter(done), planner, planned), "write", WRITE_PICTURES)
            try:
                for _ in stored:
                    self._on_progress(self.summary)
            finally:
                # The last stage first: whoever waits for room in a queue must not wait for ever.
                for stage in (stored, done, planned):
                    stage.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                if self._made_streams:
                    self._made_streams.close()
                for stage in (stored, done, planned):
                    stage.join()
                planner.let_go()

    def _store(
        self, pieces: Iterator[Passing], planner: Planner, planned: Ahead[Step]
    ) -> Generator[None]:
        """Writes, and lets go of what is written; yields whenever the summary has grown."""
        for written in self._write(pieces):
            for work in self._finished(written):
                planner.done(work, self._spoilt.pop(work, None))
            if written and written[-1] is FLUSH:
                planned.resume()
            yield

    def _streams(self) -> Streams:
        """Returns the networks, loaded when the first picture needs them."""
        if self._made_streams is None:
            with self.timings.at_work("load"):
                self._made_streams = self._new_streams()
        return self._made_streams

    def _new_streams(self) -> Streams:
        from imgsim.networks import embedding, inference

        weights = {wanted.name: wanted.weights for wanted in self._options.wanted}
        devices = embedding.choose_devices(self._options.device)
        precision = embedding.choose_precision(self._options.precision, devices[0])
        networks = {m.name: models.network_of(m, weights.get(m.name)) for m in self._models}
        self.device_used = {
            "device": ", ".join(map(str, devices)),
            "precision": str(precision),
        }
        return embedding.Streams(
            lambda device: embedding.Embedder(networks, device, precision, inference.REPAID),
            devices,
        )

    def _limited(self, planned: Iterable[Step]) -> Iterator[Step]:
        left = self._options.limit
        for step in self.timings.awaited("plan", iter(planned)):
            yield step
            if isinstance(step, Work) and left is not None:
                left -= 1
                if left == 0:
                    return

    def _decode(self, steps: Iterator[Step], pool: ThreadPoolExecutor) -> Iterator[Passing]:
        """Decodes files in threads, some way ahead of what is taken, and in order."""
        ahead: deque[tuple[Work, Future[list[Decoded | Refused]]]] = deque()

        def finished(keep: int) -> Iterator[Piece]:
            while len(ahead) > keep:
                work, future = ahead.popleft()
                with self.timings.awaiting("decode"):
                    contents = future.result()
                yield from self._pieces(work, contents)

        for step in steps:
            if step is FLUSH:
                yield from finished(0)
                yield FLUSH
            elif not isinstance(step, Work):
                yield step
            elif step.twin:
                yield from self._pieces(step, [_copy_of(stored, step) for stored in step.twin])
            else:
                ahead.append((step, pool.submit(self._decode_file, step)))
                yield from finished(DECODED_AHEAD)
        yield from finished(0)

    def _pieces(
        self, work: Work, contents: Sequence[Decoded | Record | Refused]
    ) -> Iterator[Piece]:
        self._unwritten[work] = len(contents)
        return (Piece(work, content) for content in contents)

    def _decode_file(self, work: Work) -> list[Decoded | Refused]:
        wanted = {self._preprocess[name] for name in work.models}
        with self.timings.at_work("decode"):
            most = self._options.max_megapixels
            return preparing.frames(work.found, wanted, most, work.cuts, work.sha256)

    def _batch(self, pieces: Iterator[Passing]) -> Iterator[list[Piece] | Passing]:
        """Gathers decoded pictures of the same shape; everything else passes by itself."""
        waiting: dict[tuple[object, ...], list[Piece]] = {}
        for piece in pieces:
            if piece is FLUSH:
                yield from waiting.values()
                waiting.clear()
                yield FLUSH
            elif not isinstance(piece, Piece) or not isinstance(piece.content, Decoded):
                yield piece
            else:
                size = self._options.batch_size or self._streams().batch_size
                key = _batch_key(piece.work, piece.content)
                waiting.setdefault(key, []).append(piece)
                in_wait = sum(map(len, waiting.values()))
                if len(waiting[key]) == size or in_wait >= max(WAITING, 4 * size):
                    yield waiting.pop(max(waiting, key=lambda k: len(waiting[k])))
        yield from waiting.values()

    def _embed(self, batches: Iterator[list[Piece] | Passing]) -> Generator[Passing]:
        """Embeds batches in threads, some way ahead, and in order."""
        ahead: deque[Future[list[Piece]]] = deque()

        def finished(keep: int) -> Iterator[Piece]:
            while ahead and (len(ahead) > keep or ahead[0].done()):
                with self.timings.awaiting("embed"):
                    pieces = ahead.popleft().result()
                yield from pieces

        for batch in batches:
            if isinstance(batch, list):
                streams = self._streams()
                ahead.append(streams.submit(functools.partial(self._embedded, batch)))
                yield from finished(2 * streams.count)
            else:
                if batch is FLUSH:
                    yield from finished(0)
                yield batch
        yield from finished(0)

    def _embedded(self, batch: Sequence[Piece], embedder: Embedder) -> list[Piece]:
        wanted = batch[0].work.models
        vectors: dict[str, npt.NDArray[np.float32]] = {}
        decoded = [piece.content for piece in batch if isinstance(piece.content, Decoded)]
        for preprocess in sorted({self._preprocess[name] for name in wanted}):
            names = [name for name in wanted if self._preprocess[name] == preprocess]
            pixels = [content.pixels[preprocess] for content in decoded]
            vectors |= embedder.embed(
                pixels,
                names,
                lambda name, seconds: self.timings.add(f"embed {name}", seconds, len(batch)),
            )
        return [
            Piece(
                piece.work,
                _record(piece.work, content.frame, {n: rows[row] for n, rows in vectors.items()}),
            )
            for row, (piece, content) in enumerate(zip(batch, decoded, strict=True))
        ]

    def _write(self, pieces: Iterator[Passing]) -> Iterator[list[Passing]]:
        """Stores pieces some hundreds, or some seconds, at a time; yields what is committed.

        FLUSH comes last in what is yielded.
        """
        waiting: list[Passing] = []
        last = time.monotonic()
        for piece in pieces:
            waiting.append(piece)
            due = len(waiting) >= WRITE_PICTURES or time.monotonic() - last > WRITE_SECONDS
            if piece is FLUSH or due:
                yield self._written(waiting)
                waiting = []
                last = time.monotonic()
        yield self._written(waiting)

    def _written(self, pieces: list[Passing]) -> list[Passing]:
        contents = [piece.content if isinstance(piece, Piece) else piece for piece in pieces]
        records = [content for content in contents if isinstance(content, Record)]
        refused = [content for content in contents if isinstance(content, Refused)]
        if records or refused:
            with self.timings.at_work("write", len(records)):
                reasons = self._writer.write(records, refused)
            if reasons:
                # Nothing of the block was written: once more, without the files that must wait.
                return self._written([_held_back(piece, reasons) for piece in pieces])
        return pieces

    def _finished(self, pieces: Sequence[Passing]) -> list[Work]:
        """Counts what was stored; returns the works of which nothing is left to store."""
        finished = []
        for piece in pieces:
            if isinstance(piece, Settled):
                self.summary.count(piece.kind, piece.count)
            elif isinstance(piece, PassedOver):
                self.summary.pass_over(piece)
            elif isinstance(piece, Refused):
                self.summary.refuse(piece)
                self.summary.count("failed")
            elif isinstance(piece, Piece):
                self._finish(piece)
                if self._unwritten[piece.work] == 0:
                    finished.append(piece.work)
        for work in finished:
            self.summary.count("failed" if work in self._spoilt else work.kind)
            del self._unwritten[work]
        return finished

    def _finish(self, piece: Piece) -> None:
        if isinstance(piece.content, Refused):
            self.summary.refuse(piece.content)
            self._spoilt[piece.work] = piece.content
        else:
            self.summary.pictures += 1
        self._unwritten[piece.work] -= 1


def _held_back(piece: Passing, reasons: Mapping[str, str]) -> Passing:
    """Returns the piece, refused if its file must not be taken in."""
    if not isinstance(piece, Piece) or not isinstance(piece.content, Record):
        return piece
    found = piece.content.found
    if found.path not in reasons:
        return piece
    frame = piece.content.frame.number
    return replace(
        piece, content=Refused(found.path, "store", reasons[found.path], frame, found.size)
    )


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
    return Record(work.found, work.sha256, frame, vectors, cuts=work.cuts)


def _copy_of(stored: StoredFrame, work: Work) -> Record:
    return Record(work.found, work.sha256, stored.frame, twin_id=stored.image_id)
