"""Verdicts are kept side by side, never overwritten, and come in and out as a table."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from imgsim import ingest, reports
from imgsim.api import Store
from imgsim.collection import derived, upkeep
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.ingest.options import Options
from imgsim.reuse import pair_files, verdict_files, verdicts
from imgsim.settings import Settings
from tests.store import FAST
from tests.vectors import clustered, store


@pytest.fixture(autouse=True)
def _images(connection: Connection) -> None:
    """Thirty images, called `image 1` to `image 30`."""
    store(connection, "resnet50", clustered(30, 16))


def stored(connection: Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "select image_id, other_id, verdict, note, by from imgsim.verdict order by verdict_id"
    ).fetchall()


def pair(connection: Connection, image: int, other: int) -> tuple[object, ...] | None:
    return connection.execute(
        """
        select verdict, disputed, scholars, said
        from imgsim.verdict_pair
        where image_id = %s and other_id = %s
        """,
        [image, other],
    ).fetchone()


def table(path: Path, *rows: str, header: str = "image,other,verdict,note,by,at") -> Path:
    path.write_text("\n".join([header, *rows, ""]), "utf-8")
    return path


def test_the_order_of_the_two_images_does_not_matter(connection: Connection) -> None:
    first = verdicts.record(connection, "image 7", "3", "same-block", note=" worn ", by="Ann")
    again = verdicts.record(connection, "/scans/3", "image 7", "Same Block", by="Ann")
    assert (first.added, again.added) == (True, False)
    assert (first.name, first.other_name) == ("image 3", "image 7")
    assert stored(connection) == [(3, 7, "same block", "worn", "Ann")]


def test_of_each_scholar_the_latest_counts_and_all_is_kept(connection: Connection) -> None:
    for word in ("copy", "unrelated", "copy"):
        given = verdicts.record(connection, "image 1", "image 2", word, by="Ann")
    assert given.before == "unrelated"
    assert [row[2] for row in stored(connection)] == ["copy", "unrelated", "copy"]
    assert pair(connection, 1, 2) == ("copy", False, 1, "Ann: copy")


def test_scholars_who_contradict_each_other_leave_a_pair_undecided(connection: Connection) -> None:
    verdicts.record(connection, "image 1", "image 2", "plate", by="Ann")
    verdicts.record(connection, "image 1", "image 2", "same block", by="Zoe")
    assert pair(connection, 1, 2) == ("same block", False, 2, "Ann: same block; Zoe: same block")
    given = verdicts.record(connection, "image 2", "image 1", "copy", by="Ben")
    assert given.against == (("Ann", "same block"), ("Zoe", "same block"))
    said = "Ann: same block; Ben: copy; Zoe: same block"
    assert pair(connection, 1, 2) == (None, True, 3, said)
    verdicts.record(connection, "image 1", "image 2", "same block", by="Ben")
    assert pair(connection, 1, 2) == ("same block", False, 3, said.replace("copy", "same block"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("image 1", "1", "copy"), "image 1 and 1 are the same image"),
        (("image 1", "image 2", "perhaps"), "'perhaps' is not a verdict"),
    ],
)
def test_what_is_no_verdict_is_refused(
    connection: Connection, given: tuple[str, str, str], message: str
) -> None:
    with pytest.raises(ImgsimError, match=message) as caught:
        verdicts.record(connection, *given, by="Ann")
    assert caught.value.hint
    assert stored(connection) == []


def test_an_image_that_cannot_be_told_is_refused(connection: Connection) -> None:
    connection.execute("update imgsim.image set name = 'plate' where image_id in (4, 5)")
    with pytest.raises(NotFoundError, match="no image is called 'nothing'"):
        verdicts.record(connection, "image 1", "nothing", "copy", by="Ann")
    with pytest.raises(NotFoundError, match="2 images are called 'plate': ids 4, 5"):
        verdicts.record(connection, "image 1", "plate", "copy", by="Ann")


def test_who_it_is_comes_from_the_environment_or_the_account(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "account")
    verdicts.record(connection, "1", "2", "copy")
    monkeypatch.setenv("IMGSIM_SCHOLAR", "Mary Jones")
    verdicts.record(connection, "1", "2", "copy")
    verdicts.record(connection, "1", "2", "copy", by="Ann")
    assert [row[4] for row in stored(connection)] == ["account", "Mary Jones", "Ann"]
    with pytest.raises(ImgsimError, match="name of the scholar is empty"):
        verdicts.record(connection, "1", "2", "copy", by=" ")


def test_a_table_goes_in_once_however_often_it_is_loaded(
    connection: Connection, tmp_path: Path
) -> None:
    file = table(
        tmp_path / "verdicts.csv",
        'image 1,image 2,same block,"worn, and\nretouched",Ann,2026-03-01',
        "image 4,/scans/3,Copy,,,",
        "9,/scans/8,same-subject,,Ben,2026-03-02T10:00:00+01:00",
    )
    loaded = verdict_files.load(connection, file, "Zoe")
    assert (loaded.added, loaded.already, loaded.refused) == (3, 0, 0)
    assert stored(connection) == [
        (1, 2, "same block", "worn, and\nretouched", "Ann"),
        (3, 4, "copy", None, "Zoe"),
        (8, 9, "same subject", None, "Ben"),
    ]
    at = connection.execute("select at from imgsim.verdict order by verdict_id").fetchall()
    assert at[0][0] == datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
    assert at[2][0] == datetime.datetime(2026, 3, 2, 9, tzinfo=datetime.UTC)
    again = verdict_files.load(connection, file, "Zoe")
    assert (again.added, again.already) == (0, 3)
    assert len(stored(connection)) == 3


def test_a_spreadsheets_table_is_read_too(connection: Connection, tmp_path: Path) -> None:
    file = tmp_path / "excel.csv"
    file.write_bytes("\ufeffOther;Image;Verdict;By\r\nimage 1;image 2;plate;Zoë\r\n".encode())
    assert verdict_files.load(connection, file).added == 1
    assert stored(connection) == [(1, 2, "same block", None, "Zoë")]


def test_good_rows_go_in_and_the_others_are_told_with_line_and_reason(
    connection: Connection, tmp_path: Path
) -> None:
    connection.execute("update imgsim.image set name = 'plate' where image_id in (4, 5)")
    file = table(
        tmp_path / "verdicts.csv",
        "image 1,image 2,copy,,Ann,",
        "image 1,nothing,copy,,Ann,",
        "image 1,,copy,,Ann,",
        "plate,image 1,copy,,Ann,",
        "image 3,3,copy,,Ann,",
        "image 1,image 3,alike,,Ann,",
        "image 1,image 6,copy,,Ann,yesterday",
        "image 1,image 6,copy,,Ann,2999-01-01",
        "image 1,image 7",
        "image 2,image 1,copy,,Ann,",
        "image 8,image 9,copy,,Ann,",
        "image 9,image 8,unrelated,,Ann,",
        "image 9,image 8,unrelated,,Ben,",
    )
    loaded = verdict_files.load(connection, file, "Zoe")
    assert stored(connection) == [
        (1, 2, "copy", None, "Ann"),
        (8, 9, "unrelated", None, "Ben"),
    ]
    assert loaded.pairs.unknown.examples == ["line 3: nothing", "line 4: blank"]
    assert loaded.pairs.ambiguous.examples == ["line 5: plate fits the ids 4, 5"]
    assert loaded.pairs.one_image.examples == ["line 6: image 3"]
    assert loaded.no_verdict.examples == ["line 7: alike"]
    assert loaded.unread_dates.examples == ["line 8: yesterday", "line 9: 2999-01-01"]
    assert loaded.pairs.ragged.examples == ["line 10: 2 cells for 6 columns"]
    assert loaded.repeated.examples == ["line 11: as line 2"]
    assert loaded.contradictions.examples == [
        "line 12: Ann in lines 12 (copy), 13 (unrelated)",
        "line 13: Ann in lines 12 (copy), 13 (unrelated)",
    ]
    assert loaded.refused == 10


def test_a_row_whose_image_is_removed_while_the_file_is_read_is_told_and_the_others_go_in(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = table(
        tmp_path / "verdicts.csv",
        "image 1,image 2,copy,,Ann,",
        "image 3,image 2,copy,,Ann,",
        "image 3,image 4,copy,,Ann,",
    )
    read = pair_files.read

    def removed_meanwhile(*arguments: Any) -> pair_files.PairFile:
        found = read(*arguments)
        derived.remove(connection, [1, 4])
        return found

    monkeypatch.setattr(pair_files, "read", removed_meanwhile)
    loaded = verdict_files.load(connection, file)
    assert stored(connection) == [(2, 3, "copy", None, "Ann")]
    assert (loaded.added, loaded.refused) == (1, 2)
    assert loaded.removed.examples == ["line 2: id 1", "line 4: id 4"]
    assert str(loaded.removed) == "2 rows skipped: an image was removed meanwhile"


def test_a_file_without_a_column_it_needs_changes_nothing(
    connection: Connection, tmp_path: Path
) -> None:
    file = table(tmp_path / "v.csv", "image 1,image 2,copy", header="image,with,verdict")
    with pytest.raises(ImgsimError, match="has no column other") as caught:
        verdict_files.load(connection, file)
    assert caught.value.hint == "the first line must name image, other, verdict"
    assert stored(connection) == []


def test_loading_an_old_table_does_not_undo_a_change_of_mind(
    connection: Connection, tmp_path: Path
) -> None:
    file = table(tmp_path / "v.csv", "image 1,image 2,copy,Ann", header="image,other,verdict,by")
    verdict_files.load(connection, file)
    verdicts.record(connection, "image 1", "image 2", "same block", by="Ann")
    again = verdict_files.load(connection, file)
    assert again.added == 0
    assert again.outdated.examples == ["line 2: Ann has since said same block"]
    assert pair(connection, 1, 2) == ("same block", False, 1, "Ann: same block")


def test_a_table_of_the_past_stands_before_what_was_said_since(
    connection: Connection, tmp_path: Path
) -> None:
    verdicts.record(connection, "image 1", "image 2", "same block", by="Ann")
    verdict_files.load(
        connection, table(tmp_path / "v.csv", "image 1,image 2,copy,,Ann,1999-01-01")
    )
    assert pair(connection, 1, 2) == ("same block", False, 1, "Ann: same block")


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("image 7", [7]),
        ("/scans/7", [7]),
        ("7", [7]),
        ("scans/plate.png", [8]),
        ("./scans/plate.png", [8]),
        ("scans\\plate.png", [8]),
        ("plate.tif", [8, 9]),
        ("other/plate.png", [9]),
        ("nothing", []),
        ("999999999999999999", []),
        ("", []),
    ],
)
def test_an_image_is_found_by_name_path_id_or_the_end_of_its_path(
    connection: Connection, text: str, ids: list[int]
) -> None:
    connection.execute(
        "update imgsim.image set name = 'plate', path = '/a/scans/plate.png' where image_id = 8"
    )
    connection.execute(
        "update imgsim.image set name = 'plate', path = '/b/other/plate.png' where image_id = 9"
    )
    row = connection.execute("select * from imgsim.images_called(%s)", [[text]]).fetchone()
    assert row == (text, ids)


def test_what_an_image_is_called_in_a_table_finds_it_again(connection: Connection) -> None:
    connection.execute("update imgsim.image set name = 'same' where image_id in (8, 9, 10, 11)")
    connection.execute(
        """
        update imgsim.image
        set path = '/scans/book.tif', frame = image_id - 9, frames = 2
        where image_id in (10, 11)
        """
    )
    rows = connection.execute(
        """
        select i.image_id, c.image_ids
        from imgsim.image i
        cross join lateral imgsim.images_called(array[imgsim.image_called(i.image_id)]) c
        """
    ).fetchall()
    assert len(rows) == 30
    assert all(found == [image_id] for image_id, found in rows)


def test_the_report_puts_the_disputed_first_and_tells_of_changed_files(
    connection: Connection,
) -> None:
    verdicts.record(connection, "image 1", "image 2", "same block", by="Ann")
    for name, word in (("Ann", "copy"), ("Ben", "unrelated")):
        verdicts.record(connection, "image 8", "image 9", word, by=name)
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, publication_year) values ('0000000001', 1752)"
    )
    connection.execute(
        "update imgsim.image set changed_at = now() + interval '1 second' where image_id = 2"
    )
    frame = reports.verdicts(connection).frame()
    assert frame["name"].tolist() == ["image 8", "image 1"]
    assert frame["disputed"].tolist() == [True, False]
    assert frame["changed_since"].tolist() == [False, True]
    assert frame["publication_year"].tolist() == [1752, 1752]
    assert len(reports.verdicts(connection, disputed=True).rows) == 1


def test_a_notebook_gives_verdicts_too(settings: Settings, connection: Connection) -> None:
    with Store(settings) as opened:
        opened.verdict(2, "image 1", "copy", note="a recut", by="Ann")
        assert opened.report("verdicts")["verdict"].tolist() == ["copy"]
    assert stored(connection) == [(1, 2, "copy", "a recut", "Ann")]


def test_images_with_verdicts_are_not_removed_unless_these_may_go(connection: Connection) -> None:
    verdicts.record(connection, "image 1", "image 2", "copy", by="Ann")
    verdicts.record(connection, "image 2", "image 3", "copy", by="Ann")
    verdicts.record(connection, "image 5", "image 6", "copy", by="Ann")
    with pytest.raises(ImgsimError, match="these images have 2 verdicts that would be deleted"):
        derived.remove(connection, [2, 4])
    assert connection.execute("select count(*) from imgsim.image").fetchone() == (30,)
    assert derived.remove(connection, [2, 4], with_verdicts=True) == 2
    assert stored(connection) == [(5, 6, "copy", None, "Ann")]
    assert derived.remove(connection, [7]) == 1


def test_a_file_that_lost_judged_pages_waits_and_no_verdict_is_lost(
    connection: Connection, tmp_path: Path, draw: Callable[..., Image.Image]
) -> None:
    file = tmp_path / "book.tif"
    pages = [draw(number) for number in range(3)]
    pages[0].save(file, save_all=True, append_images=pages[1:])
    draw(9).save(tmp_path / "single.png")
    connection.execute("select imgsim.remove_model('resnet50')")
    connection.execute("delete from imgsim.image")
    options = Options(wanted=(FAST,), workers=1)
    assert ingest.ingest(connection, [tmp_path], options).new == 2
    verdicts.record(connection, "book#3", "single", "copy", by="Ann")
    pages[0].save(file, save_all=True, append_images=pages[2:])
    summary = ingest.ingest(connection, [tmp_path], options)
    assert (summary.failed, summary.changed) == (1, 0)
    (reason,) = {row[3] for row in reports.failures(connection).rows}
    assert reason.startswith("scholars have judged pictures that it no longer has (1 verdict)")
    assert reason.endswith("imgsim remove --with-verdicts first")
    assert len(stored(connection)) == 1
    assert derived.remove(
        connection, upkeep.under_paths(connection, [str(file)]), with_verdicts=True
    )
    assert ingest.ingest(connection, [tmp_path], options).failed == 0
    assert reports.failures(connection).rows == []
