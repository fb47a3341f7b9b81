"""Decides which files need which work: by path, size and time first, then by their content."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import NamedTuple

from imgsim.collection.images import Images, StoredFrame
from imgsim.collection.locks import Locks
from imgsim.images.boxes import Cut
from imgsim.images.files import Found, Ignored, Item, Refused, SpeltAlike, digest, path_text
from imgsim.ingest.summary import PassedOver
from imgsim.ingest.timings import Timings

CHUNK_FILES = 512
WAIT_SECONDS = 0.3

FLUSH = None
"""Stands between pieces of work: finish and store all that came before."""


@dataclass(frozen=True)
class Work:
    """A file to be embedded with some models, or copied from a twin of the same content.

    `kind` is what the summary counts it as; `first` of its content, it holds that locked. `cuts`
    are the regions that are its pictures, in place of the pages they are on.
    """

    found: Found
    sha256: str
    kind: str
    models: tuple[str, ...]
    twin: tuple[StoredFrame, ...] = ()
    first: bool = False
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True)
class Settled:
    """Files that need no work any more; `kind` is what the summary counts them as."""

    kind: str
    count: int = 1


class Known(NamedTuple):
    """A file with what is stored of it, and the regions of it that shall be pictures."""

    file: Found
    frames: list[StoredFrame]
    cuts: tuple[Cut, ...]


Step = Work | Settled | PassedOver | Refused | None


class Planner:
    """Turns found files into steps, each file locked from its `Work` until `done` is called.

    Args:
        model_names: the models whose vectors every image shall have.
        change: False for a survey: nothing is locked or written.

    `steps` may run in one thread and `done` be called from another.
    """

    def __init__(
        self,
        images: Images,
        locks: Locks,
        model_names: Sequence[str],
        pool: Executor,
        timings: Timings,
        *,
        change: bool = True,
    ) -> None:
        self._timings = timings
        self._images = images
        self._locks = locks
        self._models = tuple(model_names)
        self._pool = pool
        self._change = change
        self._deferred: list[Found] = []
        self._hashes_in_hand: set[str] = set()
        self._twins_awaited: set[str] = set()
        self._unfit: dict[str, Refused] = {}
        self._given_out: set[Work] = set()

    def steps(self, found: Iterator[Item]) -> Generator[Step]:
        """Yields what is to be done, file by file; ends when nothing is left, with a FLUSH."""
        while chunk := list(itertools.islice(found, CHUNK_FILES)):
            yield from (item for item in chunk if isinstance(item, Refused))
            if passed := [item for item in chunk if isinstance(item, Ignored | SpeltAlike)]:
                yield PassedOver.of(passed)
            yield from self._chunk([item for item in chunk if isinstance(item, Found)])
        yield FLUSH
        yield from self._second_looks()

    def done(self, work: Work, refused: Refused | None) -> None:
        """Lets go of a file, and of its twins: it is stored, or a page of it was refused."""
        if work.first:
            self._hashes_in_hand.discard(work.sha256)
            self._locks.unlock_contents([work.sha256])
        # A region may be refused though the file is sound.
        if refused and not work.cuts and work.sha256 in self._twins_awaited:
            self._unfit[work.sha256] = refused
        self._locks.unlock([work.found.path])
        self._given_out.discard(work)

    def let_go(self) -> None:
        """Lets others have what was given out and will not be done, or was being let go of."""
        self._locks.unlock_contents([work.sha256 for work in self._given_out if work.first])
        self._locks.unlock([work.found.path for work in self._given_out])
        self._given_out.clear()

    def _second_looks(self) -> Iterator[Step]:
        """Looks again at files that another ingest, or this one for a twin, had in hand."""
        while self._deferred:
            again, self._deferred = self._deferred, []
            for start in range(0, len(again), CHUNK_FILES):
                yield from self._chunk(again[start : start + CHUNK_FILES])
                yield FLUSH
            if len(self._deferred) == len(again):
                time.sleep(WAIT_SECONDS)

    def _chunk(self, files: Sequence[Found]) -> Iterator[Step]:
        waiting = self._recognise(files)
        if len(waiting) < len(files):
            yield Settled("unchanged", len(files) - len(waiting))
        if not self._change:
            yield from self._judge(waiting)
            return
        mine = self._locks.lock([known.file.path for known in waiting])
        self._deferred += [known.file for known in waiting if known.file.path not in mine]
        try:
            # Another ingest may have stored some of them just before the lock.
            locked = self._recognise([k.file for k in waiting if k.file.path in mine])
            if len(locked) < len(mine):
                yield Settled("unchanged", len(mine) - len(locked))
            for step in self._judge(locked):
                if isinstance(step, Work):
                    mine.remove(step.found.path)
                    self._given_out.add(step)
                yield step
        finally:
            self._locks.unlock(mine)

    def _recognise(self, files: Sequence[Found]) -> list[Known]:
        """Returns the files that are not stored just as they are, with what is stored of them."""
        with self._timings.at_work("recognise", len(files)):
            known = self._images.known(files)
            others = [file for number, file in enumerate(files) if number not in known]
            if not others:
                return []
            stored = self._images.by_path([file.path for file in others])
            cuts = self._images.cuts([file.path for file in others])
        return [Known(file, stored.get(file.path, []), cuts.get(file.path, ())) for file in others]

    def _judge(self, files: Sequence[Known]) -> Iterator[Step]:
        hashed: list[tuple[Known, str]] = []
        results = self._pool.map(self._content_hash, files)
        for known, result in zip(files, results, strict=True):
            if isinstance(result, Refused):
                yield result
            else:
                hashed.append((known, result))
        contents = {sha256 for _, sha256 in hashed}
        free = contents - self._hashes_in_hand
        mine = self._locks.lock_contents(free) if self._change else free
        try:
            twins = self._whole_files_by_content(contents)
            for known, sha256 in hashed:
                path = path_text(known.file.path)
                others = [twin for twin in twins[sha256] if twin[0].path != path]
                free_now = sha256 in mine
                for step in self._judge_one(known, sha256, others, free=free_now):
                    if isinstance(step, Work) and step.first:
                        mine.remove(sha256)  # it is unlocked when it is done
                    yield step
        finally:
            if self._change:
                self._locks.unlock_contents(mine)

    def _whole_files_by_content(self, contents: set[str]) -> dict[str, list[list[StoredFrame]]]:
        files: dict[str, list[list[StoredFrame]]] = defaultdict(list)
        for frames in self._images.by_content(contents).values():
            if _is_whole(frames):
                files[frames[0].sha256].append(frames)
        return files

    def _judge_one(
        self,
        known: Known,
        sha256: str,
        twins: list[list[StoredFrame]],
        *,
        free: bool,
    ) -> Iterator[Step]:
        file, frames, cuts = known
        if _is_whole(frames) and frames[0].sha256 == sha256 and _fits(frames, cuts):
            yield self._same_content(file, frames, "unchanged")
            return
        if not frames and not cuts:
            for twin in twins:
                if self._images.was_moved(twin) and self._move(twin, file):
                    yield self._same_content(file, twin, "moved")
                    return
        # One that this or another ingest is about to replace would have other vectors by then.
        # Of a file with regions each picture is made anew: another's regions need not be its own.
        complete = next(
            (
                twin
                for twin in twins
                if not (cuts or _cuts_of(twin) or _lacking(twin) or self._images.was_changed(twin))
            ),
            None,
        )
        if complete:
            kind = "changed" if frames else "duplicate"
            yield Work(file, sha256, kind, self._models, tuple(complete))
        elif not cuts and (refused := self._unfit.get(sha256)):
            yield replace(refused, path=file.path)
        elif sha256 not in self._hashes_in_hand and free:
            self._hashes_in_hand.add(sha256)
            kind = _kind(frames, sha256, cuts)
            yield Work(file, sha256, kind, self._models, first=True, cuts=cuts)
        elif self._change:
            self._twins_awaited.add(sha256)
            self._deferred.append(file)
        else:
            yield Settled("duplicate")

    def _same_content(self, file: Found, frames: list[StoredFrame], kind: str) -> Step:
        if lacking := _lacking(frames):
            return Work(file, frames[0].sha256, "completed", lacking, cuts=_cuts_of(frames))
        if self._change and kind == "unchanged":
            self._images.touch(file)
        return Settled(kind)

    def _content_hash(self, known: Known) -> str | Refused:
        if _is_same_file(known.file, known.frames):
            return known.frames[0].sha256
        with self._timings.at_work("hash"):
            return digest(known.file)

    def _move(self, frames: list[StoredFrame], file: Found) -> bool:
        return not self._change or self._images.move(frames, file)


def _kind(frames: list[StoredFrame], sha256: str, cuts: Sequence[Cut]) -> str:
    if not frames:
        return "new"
    if not _fits(frames, cuts):
        return "changed"
    return "completed" if all(frame.sha256 == sha256 for frame in frames) else "changed"


def _is_whole(frames: Sequence[StoredFrame]) -> bool:
    # A run killed between two blocks of a changed file leaves the content of some pages behind.
    return bool(frames) and len(frames) == frames[0].frame.count and _is_one_content(frames)


def _cuts_of(frames: Sequence[StoredFrame]) -> tuple[Cut, ...]:
    """Returns the regions that stored pictures of a file are; none if all are pages."""
    return tuple(
        Cut(stored.frame.number, stored.frame.box, stored.frame.region or 0, stored.sha256)
        for stored in frames
        if stored.frame.box is not None
    )


def _fits(frames: Sequence[StoredFrame], cuts: Sequence[Cut]) -> bool:
    """Returns whether the regions stored of a file are those that shall be."""
    places = {(cut.frame, cut.box) for cut in cuts}
    return places == {(cut.frame, cut.box) for cut in _cuts_of(frames)}


def _is_one_content(frames: Sequence[StoredFrame]) -> bool:
    return all(frame.sha256 == frames[0].sha256 for frame in frames)


def _is_same_file(file: Found, frames: Sequence[StoredFrame]) -> bool:
    return _is_whole(frames) and all(
        (frame.bytes, frame.modified_ns) == (file.size, file.modified_ns) for frame in frames
    )


def _lacking(frames: Sequence[StoredFrame]) -> tuple[str, ...]:
    return tuple(sorted({name for frame in frames for name in frame.lacking}))
