"""Two commands at once: whichever comes first, what is stored afterwards is true.

The first command is paused before it commits. The second then either waits for it or ends; only
when one of the two is certain does the first go on. So no test depends on a machine's speed.
"""

from __future__ import annotations

import logging
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from PIL import Image

from imgsim import doctor
from imgsim.bibliography import linking
from imgsim.bibliography.link_columns import LinkColumns
from imgsim.collection import derived, runs, upkeep
from imgsim.collection.writing import Record, Writer
from imgsim.database import connection as database
from imgsim.database import turns
from imgsim.database.connection import Connection
from imgsim.errors import DatabaseError, NotFoundError
from imgsim.images.decoding import Frame
from imgsim.images.files import Found
from imgsim.ingest import ingest
from imgsim.ingest.options import Options
from imgsim.networks import models
from imgsim.reuse import evidence, groups, verdicts
from imgsim.reuse.evidence import features, verification
from imgsim.reuse.evidence.verification import Pair
from imgsim.settings import Settings
from imgsim.similarity import exact_lists, neighbours, pairs
from tests import reuse
from tests.store import FAST
from tests.vectors import brute_force, clustered, store

Draw = Callable[..., Image.Image]
Command = Callable[[Connection], object]

COUNT = 12
K = 3
THRESHOLD = 0.3
PATIENCE = 60
"""Seconds after which a test that hangs fails; none waits for so long."""

REMOVED, CHANGED = 5, 4


@dataclass
class Running:
    """A command at work in a thread, on a connection of its own."""

    process: int
    thread: threading.Thread
    errors: list[BaseException]

    @property
    def is_done(self) -> bool:
        return not self.thread.is_alive()


def start(settings: Settings, command: Command, prepare: Command = lambda _: None) -> Running:
    """Run a command in a thread; `prepare` gets its connection first."""
    errors: list[BaseException] = []
    opened = database.connect(settings)
    prepare(opened)

    def work() -> None:
        with opened:
            try:
                command(opened)
            except BaseException as exc:
                errors.append(exc)

    thread = threading.Thread(target=work, daemon=True)
    running = Running(opened.info.backend_pid, thread, errors)
    thread.start()
    return running


def waits_or_ends(connection: Connection, running: Running) -> bool:
    """Look until a command waits for another (True) or has ended (False)."""
    while not running.is_done:
        row = connection.execute(
            "select cardinality(pg_blocking_pids(%s)) > 0", [running.process]
        ).fetchone()
        if row == (True,):
            return True
    return False


class Pause:
    """Stops a connection before it begins or commits its nth transaction, until it is let go."""

    def __init__(self, nth: int = 1, *, begin: bool = False) -> None:
        self.reached = threading.Event()
        self._go = threading.Event()
        self._left = nth
        self._begin = begin

    def prepare(self, connection: Connection) -> None:
        transaction = connection.transaction

        @contextmanager
        def paused(*arguments: Any, **options: Any) -> Iterator[Any]:
            self._left -= 1
            if self._begin:
                self._stop()
            with transaction(*arguments, **options) as begun:
                yield begun
                if not self._begin:
                    self._stop()

        connection.transaction = paused  # type: ignore[method-assign]

    def _stop(self) -> None:
        if self._left == 0:
            self.reached.set()
            assert self._go.wait(PATIENCE)

    def let_go(self) -> None:
        self._go.set()


def change(connection: Connection) -> None:
    """What an ingest of a changed file writes."""
    found = Found(f"/scans/{CHANGED}", 2, 2)
    vector = clustered(COUNT, 8, seed=9)[0]
    record = Record(found, "f" * 32, Frame(1, 1, 1, 1, "L", "PNG"), {"m": vector})
    run_id = runs.begin(connection, {})
    writer = Writer(
        turns.Shared(connection), models.stored(connection), re.compile("nothing"), run_id
    )
    assert writer.write([record], []) == {}


def link(connection: Connection) -> None:
    """What `imgsim metadata link` does with a table that names every image, in falling order."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "links.csv")
        rows = "".join(f"/scans/{image},{image % 3 + 1:010}\n" for image in range(COUNT, 0, -1))
        file.write_text(f"file,book\n{rows}")
        linking.link(connection, file, LinkColumns("file", "book"))


COMMANDS: dict[str, tuple[Command, int]] = {
    "ingest of a changed file": (change, 2),
    "remove": (lambda c: derived.remove(c, [REMOVED], with_verdicts=True), 1),
    "relocate": (lambda c: upkeep.relocate(c, "/scans", "/moved"), 1),
    "metadata link": (link, 1),
    "neighbours": (lambda c: neighbours.bring_up_to_date(c, models.stored(c), K), 1),
    "pairs": (lambda c: pairs.bring_up_to_date(c, models.stored(c), THRESHOLD), 1),
    "verify": (
        lambda c: verification.verify(c, [Pair(1, 2), Pair(CHANGED, REMOVED), Pair(6, 7)]),
        2,
    ),
    "group": (groups.build, 1),
    "verdict": (
        lambda c: verdicts.record(c, str(CHANGED), str(REMOVED), "copy", by="A scholar"),
        1,
    ),
}
"""Each command, and which of its transactions is paused before its commit."""


@pytest.fixture
def filled(connection: Connection, draw: Draw) -> models.Model:
    """Images with vectors and features, evidence for a group, and nothing computed yet."""
    model = store(connection, "m", clustered(COUNT, 8))
    found = features.find(draw())
    packed = features.pack(found)
    connection.execute(
        """
        insert into imgsim.local_feature
            (image_id, version, sha256, width, height, points, features, ink, cells)
        select i.image_id, %s, i.sha256, %s, %s, %s, %s, %s, %s
        from imgsim.image i
        """,
        [features.VERSION, found.width, found.height, len(found.points), *packed],
    )
    connection.execute(
        "select setval(pg_get_serial_sequence('imgsim.image', 'image_id'), %s)", [COUNT]
    )
    reuse.verify(connection, 8, 9, 0.99)
    reuse.verify(connection, CHANGED, 9, 0.99)
    reuse.verify(connection, REMOVED, 8, 0.99)
    return model


@pytest.mark.parametrize("second", COMMANDS)
@pytest.mark.parametrize("first", COMMANDS)
def test_whichever_of_two_commands_comes_first_what_is_stored_is_true(
    settings: Settings, connection: Connection, filled: models.Model, first: str, second: str
) -> None:
    command, nth = COMMANDS[first]
    pause = Pause(nth)
    one = start(settings, command, pause.prepare)
    assert pause.reached.wait(PATIENCE)
    two = start(settings, COMMANDS[second][0])
    waits_or_ends(connection, two)
    pause.let_go()
    for running in (one, two):
        running.thread.join(PATIENCE)
        assert running.is_done
    # Nothing but that what was named, or was to be moved, has gone meanwhile.
    for error in one.errors + two.errors:
        assert isinstance(error, NotFoundError) or "no image is stored under" in str(error)
    found = derived.counted_astray(connection)
    assert (found.lists, found.pairs, found.verifications) == (0, 0, 0)
    assert_judged_as_stored(connection)
    assert_true(connection, filled)
    if second != "group" and "group" in (first, second) and second in GROUPS_NEWS:
        assert not groups.status(connection).is_current


@pytest.mark.parametrize("second", ["ingest of a changed file", "remove"])
@pytest.mark.parametrize("first", ["neighbours", "pairs", "verify"])
def test_what_was_computed_from_a_content_that_is_gone_before_its_commit_is_not_stored(
    settings: Settings, connection: Connection, filled: models.Model, first: str, second: str
) -> None:
    command, nth = COMMANDS[first]
    pause = Pause(nth, begin=True)
    one = start(settings, command, pause.prepare)
    assert pause.reached.wait(PATIENCE)
    two = start(settings, COMMANDS[second][0])
    assert not waits_or_ends(connection, two)
    pause.let_go()
    one.thread.join(PATIENCE)
    assert (one.errors, two.errors) == ([], [])
    assert (one.is_done, two.is_done) == (True, True)
    row = connection.execute(
        "select count(*) from imgsim.verification where %s in (image_id, other_id)",
        [CHANGED if second == "ingest of a changed file" else REMOVED],
    ).fetchone()
    assert row == (0,)
    found = derived.counted_astray(connection)
    assert (found.lists, found.pairs, found.verifications) == (0, 0, 0)
    assert_true(connection, filled)


GROUPS_NEWS = ("ingest of a changed file", "remove", "verify", "verdict")


def assert_judged_as_stored(connection: Connection) -> None:
    """No verification of a changed image is left of its earlier content, which had features."""
    row = connection.execute(
        """
        select count(*)
        from imgsim.verification v
        join imgsim.image i on i.image_id in (v.image_id, v.other_id)
        where i.sha256 = repeat('f', 32) and coalesce(v.reason, '') not like '%%cannot be read%%'
        """
    ).fetchone()
    assert row == (0,)


def assert_true(connection: Connection, model: models.Model) -> None:
    """What is called current is left as it is here, and must be right all the same."""
    neighbours.bring_up_to_date(connection, [model], K)
    stored = connection.execute(
        "select image_id, other_ids from imgsim.neighbour_list where model_id = %s",
        [model.model_id],
    ).fetchall()
    assert {image: others[:K] for image, others in stored} == brute_force(connection, model, K)
    pairs.bring_up_to_date(connection, [model], THRESHOLD)
    assert stored_pairs(connection) == true_pairs(connection)


def stored_pairs(connection: Connection) -> set[tuple[int, int, float]]:
    rows = connection.execute("select image_id, other_id, similarity from imgsim.pair")
    return {(one, other, round(similarity, 4)) for one, other, similarity in rows}


def true_pairs(connection: Connection) -> set[tuple[int, int, float]]:
    rows = connection.execute(
        "select image_id, embedding from imgsim.embedding_m order by image_id"
    ).fetchall()
    ids = [row[0] for row in rows]
    values = np.array([row[1].to_numpy().astype(np.float64) for row in rows])
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    cosines = values @ values.T
    return {
        (ids[a], ids[b], round(float(cosines[a, b]), 4))
        for a in range(len(ids))
        for b in range(a + 1, len(ids))
        if cosines[a, b] >= THRESHOLD
    }


def test_lists_of_others_are_right_after_a_removal_that_came_between_two_of_their_blocks(
    settings: Settings,
    connection: Connection,
    filled: models.Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exact_lists, "COMMITTED", 4)
    pause = Pause(2)
    one = start(settings, COMMANDS["neighbours"][0], pause.prepare)
    assert pause.reached.wait(PATIENCE)
    two = start(settings, COMMANDS["remove"][0])
    assert waits_or_ends(connection, two)
    pause.let_go()
    one.thread.join(PATIENCE)
    two.thread.join(PATIENCE)
    assert (one.errors, two.errors) == ([], [])
    assert not derived.counted_astray(connection).any
    assert_true(connection, filled)


@pytest.mark.parametrize(
    ("what", "number", "command"),
    [
        ("imgsim.neighbour", 1, "neighbours"),
        ("imgsim.pair", 1, "pairs"),
        ("imgsim.verification", 0, "verify"),
        ("imgsim.group_run", 0, "group"),
        ("imgsim.verdict", 0, "verdict"),
    ],
)
def test_a_command_waits_for_its_turn(
    settings: Settings,
    connection: Connection,
    filled: models.Model,
    what: str,
    number: int,
    command: str,
) -> None:
    with turns.turn(connection, what, number):
        running = start(settings, COMMANDS[command][0])
        with database.connect(settings) as looking:
            assert waits_or_ends(looking, running)
    running.thread.join(PATIENCE)
    assert running.is_done
    assert running.errors == []


def test_two_pictures_are_verified_while_a_long_run_has_the_turn(
    settings: Settings, connection: Connection, filled: models.Model
) -> None:
    with turns.turn(connection, "imgsim.verification", 0), database.connect(settings) as other:
        other.execute("set lock_timeout = '30s'")
        assert evidence.compare(other, "1", "2").stored


def test_a_wait_is_told_with_whom_it_is_for(
    settings: Settings,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = threading.Event()
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())
            told.set()

    monkeypatch.setattr(turns, "TOLD_AFTER_SECONDS", 0.0)
    listener = Listener()
    logging.getLogger("imgsim").addHandler(listener)
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtext('work'), 1)")
            monkeypatch.setattr(turns, "TOLD_AFTER_SECONDS", 0.05)
            running = start(settings, lambda c: take(c, "work", 1))
            assert told.wait(PATIENCE)
        running.thread.join(PATIENCE)
    finally:
        logging.getLogger("imgsim").removeHandler(listener)
    assert re.fullmatch(
        rf"waiting for imgsim \S+ of \S+ from .+ \(server process {connection.info.backend_pid}\), "
        r"at work since \d{4}-.*",
        said[0],
    )


def take(connection: Connection, what: str, number: int) -> None:
    with turns.turn(connection, what, number):
        pass


def is_free(settings: Settings, what: str, number: int) -> bool:
    with database.connect(settings) as other:
        row = other.execute(
            "select pg_try_advisory_lock(hashtext(%s), %s)", [what, number]
        ).fetchone()
    return row == (True,)


def test_a_turn_ends_with_a_transaction_that_failed_inside_it(
    settings: Settings, connection: Connection
) -> None:
    def work() -> None:
        with turns.turn(connection, "work", 1):
            connection.execute("begin")
            connection.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        work()
    assert is_free(settings, "work", 1)
    assert connection.execute("select 1").fetchone() == (1,)


def test_a_turn_ends_with_a_transaction_that_failed_around_it(
    settings: Settings, connection: Connection
) -> None:
    with (
        pytest.raises(psycopg.errors.DivisionByZero),
        connection.transaction(),
        turns.turn(connection, "work", 1),
    ):
        connection.execute("select 1 / 0")
    assert is_free(settings, "work", 1)


def test_a_deadlock_is_tried_again_once_and_both_succeed(
    settings: Settings, connection: Connection
) -> None:
    connection.execute("create table public.two (number integer, written integer default 0)")
    connection.execute("insert into public.two values (1), (2)")
    crossed = threading.Barrier(2)
    one_is_through = threading.Event()
    tries: list[int] = []

    def command(order: tuple[int, int]) -> Command:
        def run(opened: Connection) -> None:
            mine: list[int] = []

            def work() -> None:
                mine.append(1)
                tries.append(1)
                if len(mine) == 2:
                    one_is_through.wait(PATIENCE)
                raise_written(opened, order[0])
                if len(mine) == 1:
                    crossed.wait(PATIENCE)
                raise_written(opened, order[1])

            turns.committed(opened, work)
            one_is_through.set()

        return run

    both = [start(settings, command(order)) for order in ((1, 2), (2, 1))]
    for running in both:
        running.thread.join(PATIENCE)
        assert running.errors == []
    assert len(tries) == 3
    written = connection.execute("select number, written from public.two order by 1").fetchall()
    assert written == [(1, 2), (2, 2)]


def raise_written(connection: Connection, number: int) -> None:
    connection.execute("set local deadlock_timeout = '10ms'")
    connection.execute("update public.two set written = written + 1 where number = %s", [number])


def test_a_deadlock_that_comes_again_says_what_to_do(connection: Connection) -> None:
    def work() -> None:
        raise psycopg.errors.DeadlockDetected("deadlock detected")

    with pytest.raises(psycopg.errors.DeadlockDetected) as caught:
        turns.committed(connection, work)
    told = database.driver_error(caught.value)
    assert isinstance(told, DatabaseError)
    assert "run the same command again" in told.hint


def test_a_run_that_was_killed_does_not_stay_running(
    settings: Settings, connection: Connection
) -> None:
    with database.connect(settings) as killed, database.connect(settings) as alive:
        runs.begin(killed, {})
        going_on = runs.begin(alive, {})
        assert statuses(connection) == ["running", "running"]
        connection.execute("select pg_terminate_backend(%s, 10000)", [killed.info.backend_pid])
        assert runs.settle(connection) == 1
        assert statuses(connection) == ["interrupted", "running"]
        runs.end(alive, going_on, "finished", counts={}, timings={}, device_used={})
        assert runs.settle(connection) == 0
        assert statuses(connection) == ["interrupted", "finished"]


def statuses(connection: Connection) -> list[str]:
    rows = connection.execute("select status from imgsim.ingest_run order by run_id").fetchall()
    return [row[0] for row in rows]


def test_entries_that_name_what_is_gone_are_found_and_mended(
    connection: Connection, filled: models.Model, imgsim: Callable[..., Any]
) -> None:
    neighbours.bring_up_to_date(connection, [filled], K)
    pairs.bring_up_to_date(connection, [filled], THRESHOLD)
    assert not derived.counted_astray(connection).any
    # As versions before these locks could leave a store: vectors gone, what names them kept.
    connection.execute("delete from imgsim.embedding_m where image_id = %s", [REMOVED])
    connection.execute("update imgsim.image set sha256 = 'other' where image_id = %s", [CHANGED])
    found = derived.counted_astray(connection)
    assert found.lists > 0 < found.pairs
    assert found.verifications == 1
    shown = imgsim("doctor")
    assert "neighbour lists" in shown.out
    assert "imgsim doctor --mend" in shown.out
    assert imgsim("doctor", "--mend").out.count("--mend") == 0
    assert not derived.counted_astray(connection).any
    assert_true(connection, filled)


def take_in(connection: Connection, folder: Path) -> Any:
    return ingest(connection, [folder], Options(wanted=(FAST,)))


def vectors(connection: Connection) -> dict[str, list[float]]:
    rows = connection.execute(
        """
        select i.name, e.embedding
        from imgsim.embedding_shufflenet_v2_x0_5 e
        join imgsim.image i using (image_id)
        """
    )
    return {name: vector.to_list() for name, vector in rows}


def test_a_changed_file_that_becomes_a_copy_of_another_gets_its_vector_and_new_lists(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    for number in range(4):
        draw(number).save(tmp_path / f"{number}.png")
    take_in(connection, tmp_path)
    stored = models.stored(connection)
    neighbours.bring_up_to_date(connection, stored, 2)
    before = vectors(connection)
    (tmp_path / "1.png").write_bytes((tmp_path / "3.png").read_bytes())
    assert take_in(connection, tmp_path).changed == 1
    after = vectors(connection)
    assert after == {**before, "1": before["3"]}
    assert neighbours.bring_up_to_date(connection, stored, 2) != {}
    nearest = connection.execute(
        """
        select other_ids[1], round(similarities[1]::numeric, 4)
        from imgsim.neighbour_list
        join imgsim.image using (image_id)
        where name = '1'
        """
    ).fetchone()
    twin = connection.execute("select image_id from imgsim.image where name = '3'").fetchone()
    assert twin is not None
    assert nearest == (twin[0], 1)


def test_two_files_that_changed_places_change_vectors_too(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    for number in range(3):
        draw(number, (120 + number, 90)).save(tmp_path / f"{number}.png")
    take_in(connection, tmp_path)
    before = vectors(connection)
    one, other = ((tmp_path / f"{number}.png").read_bytes() for number in (0, 1))
    (tmp_path / "0.png").write_bytes(other)
    (tmp_path / "1.png").write_bytes(one)
    summary = take_in(connection, tmp_path)
    assert (summary.changed, summary.failed) == (2, 0)
    after = vectors(connection)
    for name, earlier in (("0", "1"), ("1", "0"), ("2", "2")):
        assert np.dot(after[name], before[earlier]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("host", "moved"), [("here", 1), ("elsewhere", 0)])
def test_a_file_that_another_machine_took_in_is_no_moved_one_here(
    connection: Connection, tmp_path: Path, draw: Draw, host: str, moved: int
) -> None:
    draw(1).save(tmp_path / "before.png")
    take_in(connection, tmp_path)
    if host == "elsewhere":
        connection.execute("update imgsim.ingest_run set host = 'elsewhere'")
    (tmp_path / "before.png").rename(tmp_path / "after.png")
    summary = take_in(connection, tmp_path)
    assert (summary.moved, summary.duplicate) == (moved, 1 - moved)


def test_files_of_another_machine_are_of_this_one_once_relocated(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    folder, pattern = tmp_path / "scans", r"(?P<ecco_id>\d{10})_.*"
    folder.mkdir()
    draw(1).save(folder / "0000000001_a.png")
    draw(2).save(tmp_path / "left.png")
    ingest(connection, [tmp_path], Options(wanted=(FAST,), pattern=pattern))
    connection.execute("update imgsim.ingest_run set host = 'elsewhere'")
    folder.rename(tmp_path / "mounted")
    assert upkeep.relocate(connection, str(folder), str(tmp_path / "mounted")) == 1
    hosts = connection.execute(
        "select i.name, r.host = 'elsewhere', r.arguments ->> 'name_pattern'"
        " from imgsim.image i join imgsim.ingest_run r using (run_id) order by i.name"
    ).fetchall()
    assert hosts == [("0000000001_a", False, pattern), ("left", True, pattern)]
    (tmp_path / "mounted" / "0000000001_a.png").rename(tmp_path / "0000000001_b.png")
    assert take_in(connection, tmp_path).moved == 1


def test_an_ingest_that_broke_off_is_told_of_after_a_relocation_too(
    settings: Settings, connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    draw(1).save(tmp_path / "a.png")
    take_in(connection, tmp_path)
    connection.execute("update imgsim.ingest_run set host = 'elsewhere', status = 'failed'")
    upkeep.relocate(connection, str(tmp_path), str(tmp_path))
    told = [
        finding.detail for finding in doctor.examine(lambda: settings) if finding.what == "ingest"
    ]
    assert told == ["1 run broke off"]


def test_a_relocated_file_is_read_by_its_new_name_with_failures_under_both_paths(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    old, new = tmp_path / "unknown.png", tmp_path / "000010000000010_0.png"
    draw(1).save(old)
    take_in(connection, tmp_path)
    old.rename(new)
    for path in (old, new):
        connection.execute(
            "insert into imgsim.ingest_failure (path, stage, reason) values (%s, 'read', 'bad')",
            [str(path)],
        )
    assert upkeep.relocate(connection, str(old), str(new)) == 1
    row = connection.execute("select name, path, page_id, ecco_id from imgsim.image").fetchone()
    assert row is not None
    assert row[:3] == ("000010000000010_0", str(new), "000010000000010")
    assert row[3] is not None
    failed = connection.execute("select path from imgsim.ingest_failure").fetchall()
    assert failed == [(str(new),)]
