"""The Python API answers with DataFrames whose identifiers are text."""

from __future__ import annotations

from pathlib import Path

import pandas
import pytest

import imgsim
from imgsim.api import Store
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.settings import ExternalServer, Settings
from tests.vectors import clustered, store


@pytest.fixture
def filled(connection: Connection, settings: Settings) -> Store:
    store(connection, "resnet18", clustered(60, 32))
    store(connection, "resnet50", clustered(60, 64))
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, publication_year) values ('0000000001', 1752)"
    )
    assert isinstance(settings.target, ExternalServer)
    return imgsim.connect(database=settings.target.conninfo)


def test_similar_gives_typed_columns(filled: Store) -> None:
    with filled:
        frame = filled.similar("image 1", k=20)
        assert list(frame["rank"]) == list(range(1, 21))
        assert frame["ecco_id"].dtype == "string"
        assert set(frame["ecco_id"].str.len()) == {10}
        assert frame["publication_year"].dtype == "Int64"
        assert frame["publication_year"].isna().any()
        assert frame["similarity"].is_monotonic_decreasing
        assert len(filled.similar(1, model="resnet18", threshold=-1)) == 59


def test_reports_are_called_by_name(filled: Store) -> None:
    with filled:
        overlap = filled.report("overlap", k=4)
        assert list(overlap["shared"]) == [4, 3, 2, 1, 0]
        assert overlap["images"].sum() == 60
        assert overlap["percent"].sum() == pytest.approx(100, abs=0.5)
        some = filled.report("overlap", k=4, where=["publication_year=1752"])
        assert some["images"].sum() == 9  # every seventh of 60
        with pytest.raises(ImgsimError, match="no report 'overlaps'"):
            filled.report("overlaps")
        with pytest.raises(ImgsimError, match="cannot read the condition"):
            filled.report("overlap", where=["1=1; drop table imgsim.image"])
        with pytest.raises(ImgsimError, match="is a number"):
            filled.report("overlap", where=["publication_year=then"])


def test_any_query_is_a_frame(filled: Store) -> None:
    with filled:
        frame = filled.sql("select * from imgsim.image where image_id <= %s", [3])
        assert len(frame) == 3
        assert frame["sha256"].dtype == "string"
        assert filled.sql("select '0001' as id, 100 % 7 as rest")["id"][0] == "0001"
        assert filled.sql("select name from imgsim.image where false").empty
        assert isinstance(filled.models(), pandas.DataFrame)


def test_figures_are_drawn_by_name(filled: Store) -> None:
    with filled:
        figure = filled.plot("overlap", k=4)
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert any("share" in text for text in texts)
        assert filled.plot("grid", 1, k=3, model_names=["resnet18"]).axes
        with pytest.raises(ImgsimError, match="no figure 'pie'"):
            filled.plot("pie")


def test_pictures_are_taken_in_from_python(settings: Settings, folder: Path) -> None:
    assert isinstance(settings.target, ExternalServer)
    with imgsim.connect(database=settings.target.conninfo) as opened:
        opened.connection.execute(
            "select imgsim.add_model('small', 'shufflenet_v2_x0_5', 1024, 'untrained', %s, 'fit')",
            [_untrained_hash()],
        )
        assert opened.ingest(folder).new == 6
        assert len(opened.similar(folder / "below" / "sixth.jpg", model="small")) == 5


def _untrained_hash() -> str:
    from imgsim.networks import architectures

    return architectures.load("shufflenet_v2_x0_5", "untrained").weights.sha256
