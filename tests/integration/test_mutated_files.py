"""Three hundred files spoilt at random: each is stored or recorded, and the whole ones go in."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsim.database.connection import Connection
from imgsim.images import decoding, files
from imgsim.images.decoding import Picture
from imgsim.images.files import Found
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from tests.pictures import ENCODED, file_of, scene
from tests.store import FAST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(r"ignore::UserWarning:PIL\."),
]

MUTATED, WHOLE = 300, 40


def flipped(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwritten(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    length = rng.randint(1, 64)
    data[at : at + length] = rng.choice([bytes(length), rng.randbytes(length), b"\xff" * length])


def shortened(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(1, len(data)) :]


def cut(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    del data[at : at + rng.randint(1, 40)]


def doubled(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at:at] = data[at : at + rng.randint(1, 40)]


def in_the_head(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(min(64, len(data)))] = rng.randrange(256)


SPOIL: tuple[Callable[[bytearray, random.Random], None], ...] = (
    *(flipped, overwritten, shortened, cut, doubled, in_the_head),
)


def spoilt(folder: Path, rng: random.Random) -> None:
    """Writes files of all formats, each spoilt in one way or two."""
    names = sorted(ENCODED)
    for number in range(MUTATED):
        name = names[number % len(names)]
        data = bytearray(ENCODED[name]())
        for spoil in rng.sample(SPOIL, rng.randint(1, 2)):
            if data:
                spoil(data, rng)
        (folder / f"{number:03} {name}").write_bytes(data)


@pytest.mark.parametrize("seed", [1, 2])
def test_of_300_mutated_files_each_is_stored_or_recorded_and_whole_ones_go_in(
    connection: Connection, tmp_path: Path, seed: int
) -> None:
    folder = tmp_path.resolve() / "scans"
    folder.mkdir()
    spoilt(folder, random.Random(seed))
    whole = {folder / f"whole {number}.png" for number in range(WHOLE)}
    for number, path in enumerate(sorted(whole)):
        path.write_bytes(file_of(scene(1000 + number), "PNG"))
    good, bad = set[tuple[str, int]](), set[tuple[str, int]]()
    for path in folder.iterdir():
        item = files.look_at(str(path))
        assert isinstance(item, Found)
        if item.size == 0:
            bad.add((str(path), 1))
            continue
        for read in decoding.decode(item):
            if isinstance(read, Picture):
                good.add((str(path), read.frame.number))
            else:
                bad.add((str(path), read.frame))
                assert read.reason.isprintable()
    assert {(str(path), 1) for path in whole} <= good

    summary = ingest(connection, [folder], Options(wanted=(FAST,)))

    def rows(query: str) -> set[tuple[str, int]]:
        return set(connection.execute(query.encode()).fetchall())

    table = f"imgsim.embedding_{FAST.name}"
    assert rows(f"select path, frame from imgsim.image join {table} using (image_id)") == good
    assert rows("select path, frame from imgsim.ingest_failure") == bad
    assert summary.pictures == len(good)
    assert summary.failed == len({path for path, _ in bad})
    assert summary.files == MUTATED + WHOLE
    # A file of which some pages failed is tried again; nothing comes of it.
    again = ingest(connection, [folder], Options(wanted=(FAST,)))
    assert (again.new, again.changed, again.failed) == (0, 0, summary.failed)
    assert rows("select path, frame from imgsim.image") == good
    assert rows("select path, frame from imgsim.ingest_failure") == bad
