"""Every model has a threshold of its own, taken where none is given and told wherever it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import psycopg
import pytest

from imgsim import plots, reports
from imgsim.api import Store
from imgsim.cli import imgsim as every_command
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks import bundled, models, thresholds
from imgsim.plots import figures
from imgsim.plots.gather import ThresholdCount
from imgsim.reuse import calibration, verdicts
from imgsim.settings import THRESHOLD
from imgsim.similarity import pairs
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]
OWN = 0.8
MIGRATION = next((Path(__file__).parents[2] / "migrations").glob("*_add_thresholds.sql"))


@pytest.fixture
def model(connection: Connection) -> models.Model:
    """Ninety images in seven books, by a model with a threshold of its own."""
    stored = store(connection, "mine", clustered(90, 64))
    thresholds.keep(connection, stored, OWN, "pairs")
    return models.named(connection, "mine")


def reaching(connection: Connection, least: float) -> int:
    """How many pairs reach a similarity, counted from the vectors."""
    rows = connection.execute("select embedding from imgsim.embedding_mine").fetchall()
    vectors = np.array([row[0].to_numpy() for row in rows], dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return int((np.triu(vectors @ vectors.T, 1) >= least).sum())


@pytest.mark.parametrize("name", sorted(bundled.BUNDLED))
def test_our_own_networks_bring_what_was_measured_to_new_stores_and_to_old_ones(
    connection: Connection, name: str
) -> None:
    measured = bundled.provenance(name)["threshold"]
    new = models.ensure(connection, models.Wanted("new", name))
    assert (new.threshold, new.threshold_from) == (measured["value"], measured["measured_on"])
    assert new.threshold < THRESHOLD
    connection.execute("alter table imgsim.model drop column threshold, drop column threshold_from")
    connection.execute(MIGRATION.read_bytes())
    assert models.named(connection, "new") == new


def test_networks_of_the_original_study_have_its_threshold_and_others_say_that_none_is_measured(
    connection: Connection,
) -> None:
    connection.execute("alter table imgsim.model drop column threshold, drop column threshold_from")
    for name, weights in (("resnet50", "IMAGENET1K_V1"), ("resnet18", "untrained")):
        connection.execute(
            """
            insert into imgsim.model
                (name, architecture, dimension, weights, weights_sha256, preprocess,
                    embedding_table)
            values (%(name)s, %(name)s, 8, %(weights)s, 'x', 'fit', %(name)s)
            """,
            {"name": name, "weights": weights},
        )
    connection.execute(MIGRATION.read_bytes())
    studied, other = models.stored(connection)
    assert str(thresholds.of(studied)) == "0.94, resnet50's own"
    assert str(thresholds.of(other)) == "0.94, as none is measured for resnet18"
    assert str(thresholds.of(other, 0.9)) == "0.9"


@pytest.mark.parametrize("wrong", [0, -0.2, 1.01])
def test_a_threshold_out_of_range_is_not_kept(
    connection: Connection, model: models.Model, wrong: float
) -> None:
    with pytest.raises(ImgsimError, match="cannot keep"):
        thresholds.keep(connection, model, wrong, "pairs")
    with pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("update imgsim.model set threshold = %s", [wrong])
    assert models.named(connection, "mine") == model


def test_pairs_and_reports_and_sql_take_the_models_own_where_none_is_given(
    connection: Connection, model: models.Model
) -> None:
    assert pairs.bring_up_to_date(connection, [model]) == {"mine": reaching(connection, OWN)}
    for name in ("documents", "decades"):
        own = reports.REPORTS[name](connection)
        assert own.note == "at 0.8, mine's own"
        given = reports.REPORTS[name](connection, threshold=OWN)
        assert (own.rows, given.note) == (given.rows, "")
        assert own.rows != reports.REPORTS[name](connection, threshold=0.99).rows
    for function in ("documents", "decades", "reappearance", "book_graph"):
        ask = f"select * from imgsim.{function}"
        own_rows = connection.execute(f"{ask}()".encode()).fetchall()
        assert own_rows == connection.execute(f"{ask}('mine', {OWN})".encode()).fetchall()
        thresholds.keep(connection, model, 0.99, "pairs")
        assert own_rows != connection.execute(f"{ask}()".encode()).fetchall()
        thresholds.keep(connection, model, OWN, "pairs")


def test_each_of_several_models_has_its_pairs_from_its_own(
    connection: Connection, model: models.Model, imgsim: Imgsim
) -> None:
    other = store(connection, "other", clustered(90, 64))
    said = imgsim("pairs").err
    assert f"mine: {reaching(connection, OWN):,} pairs found at 0.8, mine's own\n" in said
    assert "pairs found at 0.94, as none is measured for other\n" in said
    states = [pairs.state_of(connection, one).threshold for one in (model, other)]
    assert states == [OWN, THRESHOLD]
    again = imgsim("pairs").said.splitlines()
    assert all("already up to date at " in line for line in again)


def test_a_table_of_counts_has_a_line_for_the_models_own(
    connection: Connection, model: models.Model
) -> None:
    thresholds.keep(connection, model, 0.773, "pairs")
    answer = reports.threshold(connection)
    assert answer.note == "the models' own thresholds: 0.773, mine's own"
    line = dict(zip(answer.columns, answer.rows[0], strict=True))
    assert (line["threshold"], line["complete"]) == (0.773, True)
    assert line["pairs"] == reaching(connection, 0.773)


def test_a_threshold_given_twice_is_counted_once(
    connection: Connection, model: models.Model
) -> None:
    reports.threshold(connection)
    count = "select pairs from imgsim.threshold_counts('mine', %s::double precision[])"
    once = connection.execute(count, [[0.9]]).fetchall()
    assert connection.execute(count, [[0.9, 0.9]]).fetchall() == once


def test_commands_tell_it_and_a_file_keeps_it(
    imgsim: Imgsim, model: models.Model, tmp_path: Path
) -> None:
    shown = imgsim("report", "documents", "--format", "csv")
    assert shown.err.splitlines()[-1] == "at 0.8, mine's own"
    assert "own" not in imgsim("report", "documents", "--threshold", OWN).err
    for kind in ("pairs", "groups-of-books"):
        done = imgsim("export", kind, "-o", tmp_path / kind)
        assert "by mine, of at least 0.8, mine's own" in done.err
        package = json.loads((tmp_path / kind / "datapackage.json").read_text())
        about = package["resources"][0]["imgsim"]
        assert (about["threshold"], about["threshold_from"]) == (OWN, "mine's own")
    listed = list(csv.DictReader(io.StringIO(imgsim("model", "list", "--format", "csv").out)))
    assert [(row["threshold"], row["threshold_from"]) for row in listed] == [("0.8", "pairs")]


def test_a_data_frame_keeps_the_note(connection: Connection, model: models.Model) -> None:
    own = Store.__new__(Store)
    own.connection = connection
    assert own.report("documents").attrs == {"note": "at 0.8, mine's own"}
    assert own.report("documents", threshold=OWN).attrs == {}


def options(
    group: click.Group = every_command, words: tuple[str, ...] = ()
) -> list[tuple[str, click.Option]]:
    found = []
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += options(command, (*words, name))
        found += [
            (" ".join((*words, name)), option)
            for option in command.params
            if isinstance(option, click.Option) and option.name in ("threshold", "mark")
        ]
    return found


def test_help_names_the_models_own_as_the_default_and_states_no_number() -> None:
    by_likeness_alone = {
        *("pairs", "report documents", "report decades", "export pairs", "export groups-of-books"),
        *("plot map", "plot timeline", "plot threshold"),
    }
    told = {name for name, option in options() if "model's own]" in (option.help or "")}
    assert told == by_likeness_alone
    assert not [name for name, option in options() if isinstance(option.default, float)]


def texts(figure: object) -> str:
    return " ".join(" ".join(t.get_text() for t in figure.axes[0].texts).split())  # type: ignore[attr-defined]


def test_figures_take_and_tell_the_models_own(connection: Connection, model: models.Model) -> None:
    store(connection, "other", clustered(90, 64))
    both = {"mine": "0.8, mine's own", "other": "0.94, as none is measured for other"}
    timeline = figures.timeline(connection, "image 1", model="mine").figure
    assert f"by mine (synthetic) of at least {both['mine']}" in texts(timeline)
    assert (
        "of at least 0.9 "
        in texts(figures.timeline(connection, "image 1", model="mine", threshold=0.9).figure) + " "
    )
    mapped = texts(figures.image_map(connection, "image 1").figure)
    assert f"at least {both['mine']}; {both['other']}" in mapped
    counted = figures.threshold(connection).figure
    assert f"Marked: {both['mine']}; {both['other']}" in texts(counted)
    marks = [t.get_text() for t in counted.axes[1].texts]
    assert marks == ["0.8", "0.94"]
    alone = figures.threshold(connection, mark=0.9).figure
    assert "Marked" not in texts(alone)
    assert [t.get_text() for t in alone.axes[1].texts] == ["0.9"]
    ladder = plots.gather_ladder(connection, model)
    assert [rung.score for rung in ladder.rungs] == [0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_a_figure_of_thresholds_begins_below_the_models_own(
    connection: Connection, model: models.Model
) -> None:
    thresholds.keep(connection, model, 0.713, "pairs")
    reports.threshold(connection)
    rows: list[ThresholdCount] = plots.threshold_counts(
        connection, models.named(connection, "mine")
    )
    counted = [row.threshold for row in rows]
    assert counted[0] < 0.713 < counted[-1] == 1
    assert 0.713 in counted


def judge(connection: Connection, count: int) -> None:
    """Verdicts on the pairs nearest to each other and on as many of the others."""
    rows = connection.execute(
        """
        select p.image_id, p.other_id
        from imgsim.pair p
        order by p.similarity desc, p.image_id, p.other_id
        """
    ).fetchall()
    for word, some in (("same block", rows[:count]), ("copy", rows[-count:])):
        for image, other in some:
            verdicts.record(connection, str(image), str(other), word, by="Ann")


def test_calibration_keeps_what_it_proposes_for_all_commands_from_then_on(
    connection: Connection, model: models.Model, imgsim: Imgsim
) -> None:
    pairs.bring_up_to_date(connection, [model], 0.3)
    judge(connection, 30)
    shown = imgsim("report", "calibration", "--format", "csv")
    assert models.named(connection, "mine") == model
    proposed = [
        float(row["threshold"])
        for row in csv.DictReader(io.StringIO(shown.out))
        if row["score"] == "mine" and row["proposed"] in ("true", "True", "yes")
    ]
    kept = imgsim("report", "calibration", "--keep", "--format", "csv")
    assert kept.code == 0
    assert kept.out == shown.out
    assert f"mine: its own threshold is {proposed[0]:g} from now on; it was 0.8" in kept.err
    now = models.named(connection, "mine")
    assert [now.threshold] == proposed
    assert now.threshold_from == "60 verdicts, for a precision of 0.95"
    assert reports.documents(connection).note == f"at {proposed[0]:g}, mine's own"
    assert f"mine at {proposed[0]:g}, mine's own: " in imgsim("report", "calibration").err


def test_calibration_does_not_keep_what_few_verdicts_say(
    connection: Connection, model: models.Model, imgsim: Imgsim
) -> None:
    pairs.bring_up_to_date(connection, [model], 0.3)
    judge(connection, calibration.FEW - 1)
    answer = imgsim("report", "calibration", "--keep")
    assert answer.code == 1
    assert "cannot keep any threshold: mine keeps 0.8, mine's own: labelled are 19" in answer.err
    assert models.named(connection, "mine") == model
