"""`imgsim verdict` and the reports on it, as they are typed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsim.database.connection import Connection
from imgsim.reuse import verdicts
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]


@pytest.fixture(autouse=True)
def _images(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ninety images, called `image 1` to `image 90`; the scholar who types is Ann."""
    store(connection, "resnet50", clustered(90, 32))
    monkeypatch.setenv("IMGSIM_SCHOLAR", "Ann")


def test_a_verdict_is_said_back_with_whoever_says_otherwise(imgsim: Imgsim) -> None:
    first = imgsim("verdict", "image 1", "image 2", "same", "block", "--note", "worn")
    assert (first.code, first.said) == (0, "image 1 and image 2: same block, says Ann\n")
    assert "Ann already said so" in imgsim("verdict", "2", "1", "same-block").err
    other = imgsim("verdict", "image 1", "image 2", "copy", "--by", "Ben")
    assert "note: disputed: Ann says same block\n" in other.err
    again = imgsim("verdict", "image 1", "image 2", "copy")
    assert again.said == "image 1 and image 2: copy, says Ann, who said same block before\n"
    assert again.out == ""


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("image 1", "image 2"), 2, "give IMAGE IMAGE VERDICT, or --load FILE"),
        ((), 2, "give IMAGE IMAGE VERDICT, or --load FILE"),
        (("image 1", "image 2", "copy", "--load", "x.csv"), 2, "give IMAGE IMAGE VERDICT"),
        (("image 1", "image 1", "copy"), 1, "are the same image"),
        (("image 1", "nothing", "copy"), 1, "no image is called 'nothing'"),
        (("image 1", "image 2", "alike"), 1, "give one of: same block, copy, same subject"),
        (("--load", "nowhere.csv"), 1, "cannot read nowhere.csv"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_next_step(
    imgsim: Imgsim, given: tuple[str, ...], code: int, message: str
) -> None:
    answer = imgsim("verdict", *given)
    assert answer.code == code
    assert message in answer.err


def test_a_table_with_bad_rows_is_code_3_and_each_is_told(imgsim: Imgsim, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.csv"
    file.write_text("image,other,verdict\n1,2,copy\n1,nothing,copy\n1,3,alike\n2,1,copy\n")
    answer = imgsim("verdict", "--load", file)
    assert answer.code == 3
    assert "        1 verdict added\n" in answer.err
    assert "note: 1 row skipped: image not in the store:\n" in answer.err
    assert "          line 3: nothing\n" in answer.err
    assert "          line 4: alike\n" in answer.err
    assert "          line 5: as line 2\n" in answer.err
    file.write_text("image,other,verdict\n1,2,copy\n")
    again = imgsim("verdict", "--load", file)
    assert (again.code, "        1 already stored\n" in again.err) == (0, True)


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_what_is_exported_loads_to_the_same_with_its_history(
    imgsim: Imgsim, connection: Connection, tmp_path: Path, ending: str
) -> None:
    verdicts.record(connection, "1", "2", "copy", by="Ann")
    verdicts.record(connection, "1", "2", "same block", by="Ann", note='a "crack";\nsee, below')
    verdicts.record(connection, "1", "2", "unrelated", by="Zoë")
    file = tmp_path / f"verdicts.{ending}"
    assert imgsim("export", "verdicts", "--output", file).code == 0
    query = b"select image_id, other_id, verdict, note, by, at from imgsim.verdict order by at"
    before = connection.execute(query).fetchall()
    assert "        3 already stored\n" in imgsim("verdict", "--load", file).err
    assert connection.execute(query).fetchall() == before
    connection.execute("delete from imgsim.verdict")
    assert "        3 verdicts added\n" in imgsim("verdict", "--load", file).err
    assert connection.execute(query).fetchall() == before


def test_an_exported_table_begins_with_the_columns_that_are_loaded(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    verdicts.record(connection, "1", "2", "copy", by="Ann")
    imgsim("export", "verdicts", "--output", tmp_path)
    with (tmp_path / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        header, row = csv.reader(file)
    assert header[:6] == ["image", "other", "verdict", "note", "by", "at"]
    assert row[:5] == ["image 1", "image 2", "copy", "", "Ann"]
    package = json.loads((tmp_path / "datapackage.json").read_text("utf-8"))
    assert package["resources"][0]["schema"]["primaryKey"] == ["verdict_id"]


def test_the_report_of_verdicts_can_be_of_the_disputed_only(
    imgsim: Imgsim, connection: Connection
) -> None:
    assert "no verdicts yet; to give one: imgsim verdict" in imgsim("report", "verdicts").err
    verdicts.record(connection, "1", "2", "copy", by="Ann")
    assert "no pair is disputed" in imgsim("report", "verdicts", "--disputed").err
    verdicts.record(connection, "3", "4", "copy", by="Ann")
    verdicts.record(connection, "3", "4", "unrelated", by="Ben")
    text = imgsim("report", "verdicts", "--format", "csv").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows] == ["image 3", "image 1"]
    assert rows[0]["said"] == "Ann: copy; Ben: unrelated"
    assert len(imgsim("report", "verdicts", "--disputed", "--format", "csv").out.splitlines()) == 2


def test_images_with_verdicts_are_removed_only_with_these(
    imgsim: Imgsim, connection: Connection
) -> None:
    verdicts.record(connection, "1", "2", "copy", by="Ann")
    answer = imgsim("remove", "/scans/1", "--yes")
    assert answer.code == 1
    assert "these images have 1 verdict that would be deleted too" in answer.err
    assert "--with-verdicts" in answer.err
    answer = imgsim("remove", "/scans/1", "--yes", "--with-verdicts")
    assert answer.code == 0
    assert "1 image removed, 1 verdict too\n" in answer.err
    assert connection.execute("select count(*) from imgsim.verdict").fetchone() == (0,)


def test_calibration_says_in_words_what_the_table_comes_to(
    imgsim: Imgsim, connection: Connection, tmp_path: Path
) -> None:
    answer = imgsim("report", "calibration")
    assert answer.code == 1
    assert "there are no verdicts to measure with" in answer.err
    assert "next: give some: imgsim verdict IMAGE IMAGE VERDICT" in answer.err
    for other, word in ((2, "same block"), (3, "unrelated"), (4, "copy")):
        verdicts.record(connection, "1", str(other), word, by="Ann")
    answer = imgsim("report", "calibration", "--format", "csv", "--step", "0.1")
    assert answer.code == 0
    rows = list(csv.DictReader(io.StringIO(answer.out)))
    assert {row["labelled"] for row in rows} == {"3"}
    assert {row["score"] for row in rows} == {"resnet50", "resnet50 normalised"}
    assert "resnet50 at 0.94, as none is measured for resnet50: " in answer.err
    assert "1 from one block and 2 others" in answer.err
    assert "no labelled pair is verified yet: imgsim verify" in answer.err
    assert "not of all pairs" in answer.err
    labels = tmp_path / "labels.csv"
    labels.write_text("image;other;same\nimage 1;image 2;yes\n1;nothing;no\n5;6;no\n")
    answer = imgsim("report", "calibration", "--labels", labels, "--format", "csv")
    assert answer.code == 3
    assert "line 3: nothing" in answer.err
    assert {row["labelled"] for row in csv.DictReader(io.StringIO(answer.out))} == {"2"}


def test_similar_prints_the_normalised_score_where_it_is_known(imgsim: Imgsim) -> None:
    without = imgsim("similar", "image 7")
    assert "normalised" not in without.out
    imgsim("neighbours")
    assert "normalised" in imgsim("similar", "image 7").out
    rows = list(csv.DictReader(io.StringIO(imgsim("similar", "image 7", "--format", "csv").out)))
    assert all(float(row["normalised"]) < float(row["similarity"]) for row in rows)
