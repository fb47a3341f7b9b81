"""What a store does in Python, by the names that the commands have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import imgsim
from imgsim.api import Store
from imgsim.cli import imgsim as commands
from imgsim.demo import plates
from imgsim.errors import ImgsimError
from imgsim.settings import ExternalServer, Settings

FIRST, WORN = "000000000100100_0", "000000000200100_0"
BOOKS = """\
ecco_id,ecco_full_title,publication_year,publication_place
0000000001,A herbal,1752,London
0000000002,Another herbal,1789,Dublin
"""


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two books: both have the plate 1, worn in the second, and each has one of its own."""
    folder = tmp_path_factory.mktemp("scans")
    for name, seed, level in (("1", 1, 0), ("1", 2, 0), ("2", 1, 14), ("2", 3, 0)):
        plate = (
            plates.draw(seed, (300, 380)).convert("L").point(lambda v, by=level: min(255, v + by))
        )
        plate.save(folder / f"000000000{name}00{seed}00_0.png")
    return folder


@pytest.fixture
def opened(settings: Settings, scans: Path) -> Iterator[Store]:
    assert isinstance(settings.target, ExternalServer)
    with imgsim.connect(database=settings.target.conninfo) as store:
        store.ingest(scans, models="resnet18-print")
        yield store


def test_the_way_from_pictures_to_a_table_of_groups(
    opened: Store, scans: Path, tmp_path: Path
) -> None:
    (tmp_path / "metadata.csv").write_text(BOOKS, "utf-8")
    assert opened.metadata.load(tmp_path / "metadata.csv")["count"].max() == 4
    nearest = opened.neighbours(k=1)
    assert dict(zip(nearest["name"], nearest["other_name"], strict=True))[FIRST] == WORN
    judged = opened.verify(FIRST, WORN)
    assert judged["relation"][0] == "same block"
    assert 0.9 < judged["probability"][0] <= 1
    counts = opened.verify()
    assert counts["pairs"].sum() == 6
    groups = opened.group()
    assert list(groups["images"]) == [2]
    assert list(groups["first_year"]) == [1752]
    opened.verdict(FIRST, WORN, "unrelated", by="M")
    assert "unrelated" in str(opened.verdicts()["said"][0])
    assert opened.group().empty
    files = opened.export("verdicts", tmp_path / "verdicts.csv")
    assert (tmp_path / "verdicts.csv") in files
    assert all(file.exists() for file in files)
    with pytest.raises(ImgsimError, match="already exists"):
        opened.export("verdicts", tmp_path / "verdicts.csv")
    opened.export("neighbours", tmp_path / "n.gexf", k=2, force=True)
    shown = repr(opened)
    assert "4 pictures of 2 books, model resnet18-print, 6 pairs verified, 1 verdict>" in shown
    assert "postgresql" not in shown


def test_a_table_is_shown_with_its_pictures_and_a_lost_file_with_the_reason(
    opened: Store, scans: Path
) -> None:
    shown = opened.thumbnails(opened.similar(FIRST, k=3), side=64)
    page = shown._repr_html_()
    assert page.count('src="data:image/png;base64,') == 3
    assert "<th>picture</th>" in page
    both = opened.thumbnails(opened.neighbours(k=1), at_most=2)._repr_html_()
    assert both.count("<img") == 4
    assert "the first 2 of 4 rows" in both
    with pytest.raises(ImgsimError, match="no column names one"):
        opened.thumbnails(opened.models())
    frame = opened.sql("select 'no <such>' as name, null::int as image_id")
    assert "no &lt;such&gt;" in opened.thumbnails(frame)._repr_html_()
    image = scans / f"{FIRST}.png"
    kept = image.read_bytes()
    try:
        Image.new("L", (30, 30)).save(image)
        assert "changed" in opened.thumbnails(opened.sql(BY_NAME, [FIRST]))._repr_html_()
    finally:
        image.write_bytes(kept)


BY_NAME = "select name from imgsim.image where name = %s"


def test_what_is_asked_wrongly_is_told_with_what_there_is(opened: Store, tmp_path: Path) -> None:
    with pytest.raises(ImgsimError, match="one picture alone"):
        opened.verify("x")
    for ask in (opened.report, opened.plot, lambda name: opened.export(name, tmp_path / "x.csv")):
        with pytest.raises(ImgsimError) as caught:
            ask("neighbors")
        assert "there are: " in caught.value.hint
    with pytest.raises(ImgsimError) as caught:
        opened.report("neighbors")
    assert caught.value.hint.startswith("did you mean neighbours? ")


def test_a_store_that_is_empty_or_closed_still_shows_what_it_is(settings: Settings) -> None:
    assert isinstance(settings.target, ExternalServer)
    store = imgsim.connect(database=settings.target.conninfo)
    assert repr(store) == "<imgsim store a server, given by --database: no pictures yet>"
    store.close()
    assert repr(store).endswith(": closed>")


def test_every_command_on_pictures_and_books_has_its_name_in_python() -> None:
    for name in ("ingest", "similar", "neighbours", "verify", "verdict", "group", "report"):
        assert callable(getattr(Store, name))
        assert name in commands.commands
    for name in ("plot", "export", "metadata"):
        assert hasattr(Store, name)
        assert name in commands.commands
