"""Ingest takes each picture in once, whatever happens to the files, the process or its twin."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from imgsim.collection import derived, upkeep
from imgsim.database import connection as database
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError, WeightsError
from imgsim.images.files import path_text
from imgsim.ingest import ingest, survey
from imgsim.ingest.options import Options
from imgsim.ingest.summary import Summary
from imgsim.networks import models
from imgsim.settings import ExternalServer, Settings
from imgsim.similarity import neighbours
from tests.store import FAST, assert_same, contents, names

Draw = Callable[..., Image.Image]


def take_in(connection: Connection, *paths: Path, **options: object) -> Summary:
    return ingest(connection, paths, Options(wanted=(FAST,), **options))  # type: ignore[arg-type]


def count(connection: Connection, query: str) -> int:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return int(row[0])


def embeddings(connection: Connection) -> int:
    return count(connection, "select count(*) from imgsim.embedding_shufflenet_v2_x0_5")


def test_every_picture_of_a_folder_is_a_row_with_its_identifiers_and_vector(
    connection: Connection, folder: Path
) -> None:
    summary = take_in(connection, folder)
    assert (summary.new, summary.pictures, summary.failed) == (6, 6, 0)
    assert embeddings(connection) == 6
    row = connection.execute(
        """
        select name, width, height, mode, format, ecco_id, page_id, page_number, illustration
        from imgsim.image
        where name like '%%010_0'
        """
    ).fetchone()
    assert row == ("000010000000010_0", 120, 90, "L", "PNG", "0000100000", "000010000000010", 1, 0)


def test_a_second_ingest_does_nothing(connection: Connection, folder: Path) -> None:
    take_in(connection, folder)
    before = connection.execute("select * from imgsim.image order by 1").fetchall()
    revision = count(connection, "select revision from imgsim.model")
    summary = take_in(connection, folder)
    assert summary.counts() | {"pictures": 0} == Summary(unchanged=6).counts()
    assert connection.execute("select * from imgsim.image order by 1").fetchall() == before
    assert count(connection, "select revision from imgsim.model") == revision


def test_an_unchanged_folder_is_recognised_without_opening_a_file(
    connection: Connection, folder: Path
) -> None:
    take_in(connection, folder)
    for path in folder.rglob("*.*"):
        found = path.stat()
        path.write_bytes(bytes(found.st_size))  # as long as before, but no picture any more
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert take_in(connection, folder).unchanged == 6


def test_a_touched_file_is_recognised_by_its_content(connection: Connection, folder: Path) -> None:
    take_in(connection, folder)
    for path in folder.rglob("*.*"):
        os.utime(path)
    assert take_in(connection, folder).unchanged == 6
    revision = count(connection, "select revision from imgsim.model")
    assert take_in(connection, folder).unchanged == 6
    assert count(connection, "select revision from imgsim.model") == revision


def test_a_changed_file_is_embedded_anew_under_its_id(
    connection: Connection, folder: Path, draw: Draw
) -> None:
    take_in(connection, folder)
    before = contents(connection)
    ids_and_paths = "select image_id, path from imgsim.image order by 1"
    ids = connection.execute(ids_and_paths).fetchall()
    (changed,) = folder.glob("*010_0.png")
    draw(77, (60, 80)).save(changed)
    assert take_in(connection, folder).counts()["changed"] == 1
    after = contents(connection)
    others = {key for key, v in before.vectors.items() if not (v == after.vectors[key]).all()}
    assert others == {("shufflenet_v2_x0_5", str(changed), 1)}
    assert (
        connection.execute("select image_id, path from imgsim.image order by 1").fetchall() == ids
    )
    assert count(connection, "select width from imgsim.image where name like '%010_0'") == 60


def test_a_changed_file_leaves_no_neighbours_of_what_it_was(
    connection: Connection, folder: Path, draw: Draw
) -> None:
    take_in(connection, folder)
    stored = models.stored(connection)
    neighbours.bring_up_to_date(connection, stored, 3)
    (changed,) = folder.glob("*010_0.png")
    draw(77).save(changed)
    take_in(connection, folder)
    naming = """
        select count(*)
        from imgsim.neighbour n
        join imgsim.image i on i.image_id = {}
        where i.name like '%010_0'
    """
    assert count(connection, naming.format("n.image_id")) == 0
    assert count(connection, naming.format("n.other_id")) == 0
    assert FAST.name in neighbours.bring_up_to_date(connection, stored, 3)


def test_the_same_content_is_embedded_once_and_listed_as_its_own_image(
    connection: Connection, folder: Path
) -> None:
    (one,) = folder.glob("*010_0.png")
    for number in range(3):
        shutil.copy(one, folder / f"copy {number}.png")
    summary = take_in(connection, folder)
    assert (summary.new, summary.duplicate) == (6, 3)
    shutil.copy(one, folder / "later copy.png")
    assert take_in(connection, folder).duplicate == 1
    assert embeddings(connection) == 10
    distinct = "select count(distinct embedding) from imgsim.embedding_shufflenet_v2_x0_5"
    assert count(connection, distinct) == 6


def test_a_moved_file_keeps_its_id_and_takes_the_new_name(
    connection: Connection, folder: Path
) -> None:
    take_in(connection, folder)
    (old,) = folder.glob("*010_0.png")
    before = count(connection, "select image_id from imgsim.image where name like '%010_0'")
    new = folder / "below" / "000099999900070_3.png"
    old.rename(new)
    summary = take_in(connection, folder)
    assert (summary.moved, summary.unchanged, summary.new) == (1, 5, 0)
    row = connection.execute(
        "select path, ecco_id, page_number, illustration from imgsim.image where image_id = %s",
        [before],
    ).fetchone()
    assert row == (str(new), "0000999999", 7, 3)


def test_a_copy_whose_original_is_there_is_not_taken_for_a_move(
    connection: Connection, folder: Path
) -> None:
    take_in(connection, folder)
    shutil.copytree(folder, folder.parent / "copies")
    summary = take_in(connection, folder, folder.parent / "copies")
    assert (summary.duplicate, summary.moved, summary.unchanged) == (6, 0, 6)


def test_each_page_of_a_tiff_is_an_image(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    pages = [draw(seed).convert("1") for seed in range(3)]
    pages[0].save(
        tmp_path / "plates.tif", save_all=True, append_images=pages[1:], compression="group4"
    )
    summary = take_in(connection, tmp_path)
    assert (summary.new, summary.pictures) == (1, 3)
    rows = connection.execute("select name, frame, frames, mode from imgsim.image order by frame")
    assert rows.fetchall() == [(f"plates#{n}", n, 3, "1") for n in (1, 2, 3)]
    pages[0].save(tmp_path / "plates.tif", compression="group4")
    assert take_in(connection, tmp_path).changed == 1
    assert names(connection) == ["plates.tif"]
    assert embeddings(connection) == 1


def test_a_second_model_is_added_to_images_that_are_there(
    connection: Connection, folder: Path
) -> None:
    take_in(connection, folder)
    before = contents(connection)
    second = models.Wanted("squeezenet1_1", weights="untrained")
    summary = ingest(connection, [folder], Options(wanted=(FAST, second)))
    assert (summary.completed, summary.new) == (6, 0)
    after = contents(connection)
    assert after.images == before.images
    assert len(after.vectors) == 12
    for key, vector in before.vectors.items():
        assert (after.vectors[key] == vector).all()


def test_different_preprocessings_share_one_decode(connection: Connection, folder: Path) -> None:
    cropped = models.Wanted("cropped", "shufflenet_v2_x0_5", weights="untrained", preprocess="crop")
    ingest(connection, [folder], Options(wanted=(FAST, cropped)))
    found = contents(connection).vectors
    assert len(found) == 12
    key = str(folder / "below" / "sixth.jpg")
    assert not (found[FAST.name, key, 1] == found["cropped", key, 1]).all()


def test_what_is_interrupted_between_frames_is_completed(
    connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    pages = [draw(seed) for seed in range(3)]
    pages[0].save(tmp_path / "plates.tif", save_all=True, append_images=pages[1:])
    take_in(connection, tmp_path)
    whole = contents(connection)
    connection.execute("delete from imgsim.image where frame = 2")
    connection.execute(
        "delete from imgsim.embedding_shufflenet_v2_x0_5 where image_id in "
        "(select image_id from imgsim.image where frame = 3)"
    )
    assert take_in(connection, tmp_path).completed == 1
    assert_same(contents(connection), whole)


def test_limit_stops_and_the_next_run_goes_on(connection: Connection, folder: Path) -> None:
    assert take_in(connection, folder, limit=2).new == 2
    assert take_in(connection, folder, limit=2).new == 2
    assert take_in(connection, folder).new == 2
    assert embeddings(connection) == 6


def test_a_survey_changes_nothing_and_foretells_what_ingest_does(
    connection: Connection, folder: Path, draw: Draw
) -> None:
    options = Options(wanted=(FAST,))
    assert survey(connection, [folder], options).new == 6
    assert count(connection, "select count(*) from imgsim.image") == 0
    take_in(connection, folder)
    (first,) = folder.glob("*010_0.png")
    (second,) = folder.glob("*020_0.png")
    draw(9).save(first)
    second.rename(folder / "elsewhere.png")
    (folder / "empty.png").touch()
    before = connection.execute("select * from imgsim.image order by 1").fetchall()
    foretold = survey(connection, [folder], options).counts()
    assert connection.execute("select * from imgsim.image order by 1").fetchall() == before
    done = take_in(connection, folder).counts()
    assert {**done, "pictures": 0} == foretold
    assert (done["changed"], done["moved"], done["failed"]) == (1, 1, 1)


def test_a_path_that_does_not_exist_ends_it_before_anything(
    connection: Connection, folder: Path
) -> None:
    with pytest.raises(NotFoundError, match="no file or folder"):
        take_in(connection, folder, folder / "nowhere")
    assert count(connection, "select count(*) from imgsim.ingest_run") == 0


def test_other_weights_or_preprocessing_are_refused_before_any_work(
    connection: Connection, folder: Path, tmp_path: Path
) -> None:
    import torch
    import torchvision

    take_in(connection, folder)
    file = tmp_path / "other.pth"
    torch.save(torchvision.models.get_model(FAST.name, weights=None).state_dict(), file)
    shutil.copy(next(folder.glob("*010_0.png")), folder / "new.png")
    with pytest.raises(WeightsError, match="made with other weights: untrained"):
        ingest(connection, [folder], Options(wanted=(models.Wanted(FAST.name, weights=str(file)),)))
    with pytest.raises(ImgsimError, match="made with preprocessing fit, not crop"):
        ingest(connection, [folder], Options(wanted=(models.Wanted(FAST.name, preprocess="crop"),)))
    assert count(connection, "select count(*) from imgsim.image") == 6


def test_the_run_is_recorded(connection: Connection, folder: Path) -> None:
    take_in(connection, folder)
    row = connection.execute(
        "select status, counts ->> 'new', arguments ->> 'precision', finished_at >= started_at "
        "from imgsim.ingest_run"
    ).fetchone()
    assert row is not None
    assert (row[0], row[1], row[3]) == ("finished", "6", True)
    assert row[2] in ("torch.float32", "torch.bfloat16")


def test_the_run_records_where_its_time_went(connection: Connection, folder: Path) -> None:
    take_in(connection, folder)
    (timings,) = connection.execute("select timings from imgsim.ingest_run").fetchone() or ()
    assert {"find", "recognise", "hash", "decode", "write", "index"} < timings.keys()
    for stage in ("find", "hash", "decode", f"embed {FAST.name}", "write"):
        assert timings[stage]["items"] == 6, stage
    assert timings[f"embed {FAST.name}"]["busy"] > 0
    assert sum(t.get("awaited", 0) for t in timings.values()) <= timings["whole"]["seconds"] + 0.01


def test_what_a_limit_leaves_undone_is_free_for_others(
    settings: Settings, connection: Connection, folder: Path
) -> None:
    take_in(connection, folder, limit=2)
    assert count(connection, "select count(*) from pg_locks where locktype = 'advisory'") == 0
    with database.connect(settings) as other:
        assert take_in(other, folder).new == 4


@pytest.mark.parametrize("stage", ["decode", "embed", "write"])
def test_an_error_in_any_stage_ends_the_run_and_nothing_stays_locked(
    connection: Connection, folder: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise LookupError(f"{stage} is broken")

    place = {
        "decode": "imgsim.images.decoding.decode",
        "embed": "imgsim.networks.embedding.Embedder.embed",
        "write": "imgsim.collection.writing.Writer.write",
    }
    with monkeypatch.context() as patch:
        patch.setattr(place[stage], fail)
        with pytest.raises(LookupError, match=f"{stage} is broken"):
            take_in(connection, folder)
    assert count(connection, "select count(*) from imgsim.ingest_run where status = 'failed'") == 1
    assert count(connection, "select count(*) from pg_locks where locktype = 'advisory'") == 0
    assert take_in(connection, folder).new == 6


def test_removing_takes_everything_of_an_image_and_relocating_nothing(
    connection: Connection, folder: Path
) -> None:
    take_in(connection, folder)
    stored = models.stored(connection)
    neighbours.bring_up_to_date(connection, stored, 3)
    assert len(upkeep.under_paths(connection, [path_text(str(folder))])) == 6
    assert upkeep.under_paths(connection, [str(folder)[:-1]]) == []
    (folder / "below" / "sixth.jpg").unlink()
    gone = upkeep.missing(connection)
    assert derived.remove(connection, gone) == 1
    assert embeddings(connection) == 5
    assert neighbours.bring_up_to_date(connection, stored, 3) == {}
    folder.rename(folder.parent / "new place")
    assert upkeep.relocate(connection, str(folder), str(folder.parent / "new place")) == 5
    assert take_in(connection, folder.parent / "new place").unchanged == 5


def test_relocating_onto_stored_paths_is_refused(connection: Connection, folder: Path) -> None:
    shutil.copytree(folder, folder.parent / "copies")
    take_in(connection, folder, folder.parent / "copies")
    with pytest.raises(ImgsimError, match="is already stored"):
        upkeep.relocate(connection, str(folder), str(folder.parent / "copies"))
    with pytest.raises(ImgsimError, match="no image is stored under"):
        upkeep.relocate(connection, "/nowhere", str(folder))


def start(settings: Settings, *arguments: object) -> subprocess.Popen[bytes]:
    """Run the command line in a process of its own."""
    assert isinstance(settings.target, ExternalServer)
    command = [sys.executable, "-m", "imgsim", "--database", settings.target.conninfo]
    return subprocess.Popen(
        [*command, *(str(argument) for argument in arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_two_ingests_of_one_folder_at_once_do_the_work_once(
    settings: Settings, connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    for number in range(300):
        draw(number).save(tmp_path / f"{number:03}.png")
        if number % 10 == 0:
            draw(number).save(tmp_path / f"{number:03} again.png")
    options = ["ingest", tmp_path, "--model", FAST.name, "--weights", "untrained"]
    both = [start(settings, *options) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        assert b"Traceback" not in out + err
    assert len(names(connection)) == 330
    assert embeddings(connection) == 330
    runs = "select sum((counts ->> 'new')::int) from imgsim.ingest_run where status = 'finished'"
    assert count(connection, runs) == 300


@pytest.mark.slow
def test_an_interrupt_ends_it_cleanly_and_says_how_to_go_on(
    settings: Settings, connection: Connection, tmp_path: Path, draw: Draw
) -> None:
    for number in range(240):
        draw(number, (700, 900)).save(tmp_path / f"{number:03}.png", compress_level=1)
    # Unreduced pictures take the network so long that it is still at work when the signal comes.
    slowly = ["--model", FAST.name, "--weights", "untrained", "--preprocess", "original"]
    process = start(settings, "ingest", tmp_path, *slowly)
    while count(connection, "select count(*) from imgsim.image") == 0:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert b"run the same command again" in err
    assert b"Traceback" not in err
    assert count(connection, "select count(*) from imgsim.ingest_run where status = 'interrupted'")
    took = count(connection, "select count(*) from imgsim.image")
    assert 0 < took < 240
    again = start(settings, "ingest", tmp_path)
    again.communicate(timeout=120)
    assert again.returncode == 0
    done = (
        "select sum((counts ->> 'unchanged')::int) from imgsim.ingest_run where status = 'finished'"
    )
    assert count(connection, done) == took
    assert embeddings(connection) == 240


@pytest.fixture(scope="session")
def killing_moments() -> list[float]:
    """Seconds after the first picture is stored, or after the start, at which to kill."""
    lots = random.Random(7)
    return [lots.uniform(0.0, 4.0) for _ in range(10)]


@pytest.mark.slow
def test_ingest_of_real_prints_killed_ten_times_ends_as_if_undisturbed(
    settings: Settings,
    server: object,
    connection: Connection,
    prints: Path,
    killing_moments: list[float],
) -> None:
    folders = [
        prints / name for name in ("banbury_chapbooks", "bewick_select_fables", "orbis_pictus")
    ]
    both = ["--weights", "untrained", "--model", "resnet18", "--model", "resnet50"]
    undisturbed = start(settings, "ingest", *folders, *both)
    undisturbed.communicate(timeout=900)
    assert undisturbed.returncode == 0
    whole = contents(connection)
    assert len(whole.images) == 873
    assert len(whole.vectors) == 2 * 873

    connection.execute("delete from imgsim.image")
    killed_in_the_middle = 0
    for seconds in killing_moments:
        before = count(connection, "select count(*) from imgsim.image")
        process = start(settings, "ingest", *folders, *both)
        deadline = time.monotonic() + seconds + 8
        while process.poll() is None and time.monotonic() < deadline:
            if count(connection, "select count(*) from imgsim.image") > before:
                deadline = min(deadline, time.monotonic() + seconds)
            time.sleep(0.05)
        process.kill()
        process.communicate()
        killed_in_the_middle += process.returncode == -signal.SIGKILL
    assert killed_in_the_middle >= 5
    last = start(settings, "ingest", *folders, *both)
    _, err = last.communicate(timeout=900)
    assert last.returncode == 0, err.decode()
    assert_same(contents(connection), whole)
