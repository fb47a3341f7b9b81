"""The figures say what the store holds, at its true place and legibly."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Circle, Rectangle
from matplotlib.text import Text
from PIL import Image

from imgsim import plots
from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.networks import models
from imgsim.plots import around, projection, timeline
from imgsim.plots.gather import Illustration, Match, Ranking, ThresholdCount
from imgsim.plots.layout import lettering, style
from imgsim.plots.layout.page import Box
from imgsim.plots.map import ImageMap, Panel
from imgsim.similarity import neighbours, search
from imgsim.similarity.comparison.vectors import vectors_of
from imgsim.similarity.stored_vectors import read_vectors
from imgsim.wording import counted
from tests.pictures import take_in_again
from tests.vectors import clustered, store

Draw = Callable[..., Image.Image]

TITLES = (
    "The compleat herbal",
    "Flora & fauna of $5 <plates>, Ὀρχιδέα, \N{LATIN SMALL LETTER LONG S}hewn",
    "An exact and copious " + "description of all the plants known " * 8,
)


@pytest.fixture
def pictured(connection: Connection, draw: Draw, tmp_path: Path) -> models.Model:
    """Twenty-four images in three books and one undated, with pictures on disk but for the last."""
    vectors = clustered(24, 32, seed=5)
    vectors[1] = vectors[0]
    model = store(connection, "m", vectors, books=4)
    store(connection, "n", clustered(24, 16, seed=6), books=4)
    for number in range(1, 24):
        path = tmp_path / f"{number}.png"
        draw(number, size=(90 + 20 * (number % 5), 120)).save(path)
        take_in_again(connection, number, path)
    for book, title in enumerate(TITLES):
        connection.execute(
            """
            insert into imgsim.ecco_document
                (ecco_id, ecco_full_title, publication_year, publication_decade, sub_category)
            values (%s, %s, %s, %s, %s)
            """,
            [f"{book:010}", title, 1730 + 20 * book, 1730 + 20 * book, f"category {book}"],
        )
    return model


def texts(figure: Figure) -> list[str]:
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text.get_text() for text in found if text.get_text()]


def paper(figure: Figure) -> Axes:
    return figure.axes[0]


def pictures(figure: Figure) -> dict[str, AxesImage]:
    return {
        str(image.get_gid()).removeprefix("picture "): image
        for image in paper(figure).images
        if str(image.get_gid()).startswith("picture ")
    }


def rank(connection: Connection, model: models.Model, image: str, k: int = 5) -> Ranking:
    return plots.ranking(connection, search.Question(image, k=k, exact=True), model)


def imagined(similarities: list[float], years: list[int | None] | None = None) -> Ranking:
    """A ranking of images that are nowhere on disk."""
    model = models.Model(1, "resnet50", "resnet50", 8, "IMAGENET1K_V1", "x", "fit", "e")
    dated = years or [1750] * len(similarities)
    matches = tuple(
        Match(Illustration(n, f"0962400100{n:04}0_0", "/no/such", year=year), similarity)
        for n, (similarity, year) in enumerate(zip(similarities, dated, strict=True), 2)
    )
    return Ranking(model, Illustration(1, "query", "/no/such", year=1740), matches)


def overlapping(boxes: list[Box]) -> list[tuple[object, object]]:
    return [(a, b) for a, b in itertools.combinations(boxes, 2) if a.gap(b) < -1e-6]


@pytest.mark.parametrize("width", ["single", "double"])
def test_grid_shows_query_and_neighbours_with_score_name_year_and_book(
    connection: Connection, pictured: models.Model, width: str
) -> None:
    ranking = rank(connection, pictured, "image 1")
    figure = plots.draw_grid(
        [ranking, rank(connection, models.named(connection, "n"), "image 1")], width
    )
    said = texts(figure)
    assert figure.get_size_inches()[0] * 25.4 == pytest.approx({"single": 84, "double": 174}[width])
    assert sum(text == "query" for text in said) == 2
    for place, match in enumerate(ranking.matches, 1):
        assert f"{place}   {match.similarity:.3f}" in said
        assert match.illustration.name in said
    assert "m (synthetic)" in said
    assert "n (synthetic)" in said
    assert any(text.startswith("1750, Flora") for text in said)
    assert "1   1.000" in said


def test_grid_keeps_the_aspect_of_pictures(connection: Connection, pictured: models.Model) -> None:
    figure = plots.draw_grid([rank(connection, pictured, "image 1", k=20)])
    assert len(pictures(figure)) >= 19
    for name, image in pictures(figure).items():
        left, right, bottom, top = image.get_extent()
        number = int(name.removeprefix("image "))
        expected = (90 + 20 * (number % 5)) / 120
        assert (right - left) / (bottom - top) == pytest.approx(expected, rel=0.02)


def test_a_picture_that_is_not_on_disk_is_an_empty_frame_with_its_name(
    connection: Connection, pictured: models.Model
) -> None:
    figure = plots.draw_grid([rank(connection, pictured, "image 24", k=2)])
    frames = [p for p in paper(figure).patches if str(p.get_gid()).startswith("empty frame")]
    assert [frame.get_gid() for frame in frames] == ["empty frame image 24"]
    said = " ".join(texts(figure))
    assert "image 24" in said
    assert "no such file" in said


def test_a_file_edited_since_it_was_taken_in_is_not_shown_for_what_it_was(
    connection: Connection, pictured: models.Model, tmp_path: Path
) -> None:
    (tmp_path / "3.png").write_bytes((tmp_path / "4.png").read_bytes())
    figure = plots.draw_grid([rank(connection, pictured, "image 3", k=2)])
    assert "image 3" not in pictures(figure)
    assert "changed since it was taken in" in " ".join(" ".join(texts(figure)).split())


def test_a_file_that_is_no_image_any_more_does_not_stop_the_figure(
    connection: Connection, pictured: models.Model, tmp_path: Path
) -> None:
    (tmp_path / "1.png").write_bytes(b"\x89PNG broken")
    take_in_again(connection, 1, tmp_path / "1.png")
    assert "image 1" not in pictures(plots.draw_grid([rank(connection, pictured, "image 1")]))


@pytest.mark.parametrize("width", ["single", "double"])
def test_letters_are_at_least_seven_points_and_inside_the_page(
    connection: Connection, pictured: models.Model, width: str
) -> None:
    ranking = rank(connection, pictured, "image 1", k=8)
    figures = (
        plots.draw_grid([ranking], width),
        plots.draw_around(ranking, width),
        plots.draw_timeline(ranking, 0.9, width),
        plots.draw_ladder(plots.gather_ladder(connection, pictured), width),
    )
    for figure, text in ((f, t) for f in figures for t in paper(f).texts):
        assert float(text.get_fontsize()) >= 7
        with style.settings():
            extent = text.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
        assert extent.x0 >= 0, text
        assert extent.x1 <= figure.bbox.x1, text
        assert extent.y0 >= 0, text


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize(
    "similarities",
    [
        [0.99, 0.97, 0.96, 0.94, 0.9],
        [1.0] * 6,
        [1.0, 0.9999, 0.9, 0.9, 0.9, 0.9, 0.5, 0.1],
    ],
)
def test_around_places_by_true_distance_and_nothing_overlaps(
    similarities: list[float], width: str
) -> None:
    ranking = imagined(similarities)
    layout = around.arrange(ranking, width)
    assert not overlapping([layout.query, *(item.whole for item in layout.placed)])
    inner, outer, most = layout.scale.inner, layout.scale.outer, layout.scale.most
    for item, similarity in zip(layout.placed, similarities, strict=True):
        radius = np.hypot(*item.box.centre)
        assert radius == pytest.approx(inner + (outer - inner) * (1 - similarity) / most)
    figure = plots.draw_around(ranking, width)
    rings = [patch for patch in paper(figure).patches if isinstance(patch, Circle)]
    assert len(rings) == len(layout.scale.rings)
    for ring, distance in zip(rings, layout.scale.rings, strict=True):
        assert ring.get_radius() == pytest.approx(layout.scale.radius(distance))
    said = " ".join(texts(figure))
    assert all(item.match.illustration.name in said.replace("\n", "") for item in layout.placed)
    assert f"1  {similarities[0]:.3f}" in said
    assert "1.00" in said


def test_around_says_when_there_are_too_many_to_place() -> None:
    with pytest.raises(ImgsimError, match="cannot place 50 pictures") as error:
        plots.draw_around(imagined([0.99] * 50), "single")
    assert "-k" in error.value.hint


def test_around_with_nothing_to_show_says_why() -> None:
    with pytest.raises(ImgsimError, match="no image reaches"):
        plots.draw_around(replace(imagined([]), shortfall="no image reaches 0.99"))


def test_timeline_stands_above_the_years_without_overlap_and_undated_apart(
    connection: Connection, pictured: models.Model
) -> None:
    question = search.Question("image 1", min_similarity=-1.0)
    ranking = plots.ranking(connection, question, pictured)
    figure = plots.draw_timeline(ranking, -1.0)
    assert "23 pictures like image 1, 1730 to 1770" in texts(figure)
    assert "Without a year: 6" in texts(figure)
    assert sum(text.startswith("1750  ") for text in texts(figure)) == 6
    extents = [image.get_extent() for image in pictures(figure).values()]
    boxes = [Box(x0, y1, x1 - x0, y0 - y1) for x0, x1, y0, y1 in extents]
    assert len(boxes) == 23
    assert not overlapping(boxes)


def test_timeline_shows_the_nearest_and_says_how_many_more_there_are() -> None:
    years: list[int | None] = [1700 + n % 90 for n in range(60)]
    figure = plots.draw_timeline(imagined([0.99 - n / 1000 for n in range(60)], years), 0.9)
    assert any("The nearest 30 are shown, 31 more as dots" in text for text in texts(figure))
    dots = {np.asarray(c.get_offsets())[0, 0] for c in paper(figure).collections}
    assert len(dots) == 60  # 1700 to 1759, the query's 1740 among them


def test_timeline_axis_is_linear_in_years() -> None:
    axis = timeline.Axis(1700, 1800, 5, 105)
    assert [axis.x(year) for year in (1700, 1750, 1800)] == [5, 55, 105]


def test_overlap_bars_are_those_of_the_table(
    connection: Connection, pictured: models.Model
) -> None:
    other = models.named(connection, "n")
    neighbours.bring_up_to_date(connection, [pictured, other], 4)
    table = plots.overlap_table(connection, 4, pictured, other)
    figure = plots.draw_overlap(table)
    [axes] = [axes for axes in figure.axes if axes.get_label() == "overlap"]
    bars = [bar for bar in axes.patches if isinstance(bar, Rectangle)]
    assert [row[0] for row in table.rows] == [4, 3, 2, 1, 0]
    assert [bar.get_width() for bar in bars] == [
        pytest.approx(100 * images / 24) for _, images, _ in table.rows
    ]
    for _, images, percent in table.rows:
        assert f"{images:,}  ({percent:.1f} %)" in texts(figure)


def test_threshold_counts_are_those_of_brute_force(connection: Connection) -> None:
    vectors = clustered(60, 16, seed=2)
    model = store(connection, "m", vectors)
    neighbours.bring_up_to_date(connection, [model], 3)
    stored = read_vectors(connection, model).unit(slice(None), np.float64)
    similarity = np.round(stored @ stored.T, 7)
    np.fill_diagonal(similarity, -2)
    short = 0
    for row in plots.threshold_counts(connection, model, [0.5, 0.8, 0.9, 0.97, 0.999]):
        near = similarity >= row.threshold
        assert row.images == near.any(axis=1).sum()
        assert row.percent == pytest.approx(100 * row.images / 60, abs=0.05)
        pairs = int(near.sum()) // 2
        assert row.pairs == pairs if row.complete else row.pairs <= pairs
        assert row.complete == (near.sum(axis=1).max() < 3)
        short += not row.complete
    assert 0 < short < 5


def test_threshold_lines_are_the_counts_and_say_where_pairs_are_too_few() -> None:
    model = imagined([]).model
    rows = [
        ThresholdCount(0.9, 80, 80.0, 500, complete=False),
        ThresholdCount(0.94, 40, 40.0, 100, complete=True),
        ThresholdCount(0.98, 2, 2.0, 1, complete=True),
    ]
    figure = plots.draw_threshold({model: rows})
    images, pairs = figure.axes[1:]
    assert images.lines[0].get_ydata() == pytest.approx([80, 40, 2])
    dotted, whole, _ = pairs.lines
    assert dotted.get_linestyle() == ":"
    assert np.asarray(dotted.get_ydata()).tolist() == [500, 100]
    assert np.asarray(whole.get_ydata()).tolist() == [100, 1]
    assert "0.94" in texts(figure)
    assert any("not all pairs are stored" in text for text in texts(figure))


def test_ladder_shows_the_pair_nearest_to_each_score(
    connection: Connection, pictured: models.Model
) -> None:
    found = plots.gather_ladder(connection, pictured, rungs=(0.0, 0.94, 1.0))
    vectors = read_vectors(connection, pictured).unit(slice(None), np.float64)
    upper = (vectors @ vectors.T)[np.triu_indices(24, 1)]
    for rung in found.rungs:
        nearest = upper[np.abs(upper - rung.score).argmin()]
        assert rung.nearest == pytest.approx(nearest, abs=1e-5)
        assert len(rung.pairs) == (abs(nearest - rung.score) <= 0.01)
    assert {found.rungs[2].pairs[0].first.name, found.rungs[2].pairs[0].second.name} == {
        *("image 1", "image 2"),
    }
    figure = plots.draw_ladder(found)
    assert "1.0000" in texts(figure)
    assert {"image 1", "image 2"} <= set(pictures(figure))


def test_ladder_says_where_no_pair_is_near(connection: Connection) -> None:
    model = store(connection, "m", np.eye(4, dtype=np.float32))
    figure = plots.draw_ladder(plots.gather_ladder(connection, model))
    said = [text for text in texts(figure) if text.startswith("No pair is within 0.01")]
    assert len(said) == 7
    assert "the nearest has 0.000" in said[0]


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    halves = clustered(300, 24, seed=1).astype(np.float16)
    placed = projection.principal_components(vectors_of(np.arange(300), halves.astype(np.float32)))
    vectors = vectors_of(np.arange(300), halves.astype(np.float32)).unit(slice(None), np.float64)
    left, scale, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    expected = left[:, :2] * scale[:2]
    assert np.abs(placed.points) == pytest.approx(np.abs(expected), abs=1e-4)
    share = 100 * scale[0] ** 2 / (scale**2).sum()
    assert placed.axes[0] == f"component 1 ({share:.0f} % of variance)"


@pytest.mark.parametrize("count", [1, 2, 5, 100])
def test_map_marks_the_query_black_and_its_matches_red(count: int) -> None:
    ids = np.arange(1, count + 1)
    points = np.random.default_rng(0).normal(size=(count, 2))
    ranking = imagined([0.99, 0.95][: count - 1])
    panel = Panel(ranking.model, projection.Projection(ids, points, ("a", "b")), ranking)
    figure = plots.draw_map(ImageMap((panel,), 0.94))
    marked = {c.get_gid(): c for c in figure.axes[1].collections}
    assert np.asarray(marked["query"].get_offsets()) == pytest.approx(points[:1])
    assert np.asarray(marked["query"].get_facecolor()).tolist() == [[0, 0, 0, 1]]
    assert np.asarray(marked["matches"].get_facecolor())[:1] == pytest.approx(
        np.array([to_rgba(style.RED)])
    )
    assert np.asarray(marked["matches"].get_offsets()) == pytest.approx(
        points[1 : 1 + len(ranking.matches)]
    )
    images = counted(count, "image")
    assert f"resnet50 (IMAGENET1K_V1): {images}, {len(ranking.matches)} red" in texts(figure)


def test_map_of_150000_images_counts_them_all_in_cells_and_stays_a_small_file(
    tmp_path: Path,
) -> None:
    count = 150_000
    points = np.random.default_rng(0).normal(size=(count, 2))
    ids = np.arange(1, count + 1)
    ranking = imagined([0.99, 0.95])
    panel = Panel(ranking.model, projection.Projection(ids, points, ("a", "b")), ranking)
    figure = plots.draw_map(ImageMap((panel,), 0.94))
    cells = figure.axes[1].collections[0]
    assert np.asarray(cells.get_array()).sum() == count
    assert cells.get_zorder() < figure.axes[1].collections[-1].get_zorder()
    plots.save(figure, tmp_path / "map.svg")
    assert (tmp_path / "map.svg").stat().st_size < 2_000_000


def test_a_cell_has_the_colour_of_its_commonest_category() -> None:
    points = np.repeat([[0.0, 0.0], [1.0, 1.0]], 3000, axis=0)
    ids = np.arange(1, 6001)
    rare = {n: f"rare {n % 300}" for n in range(1, 2001)}
    values: dict[int, str | int | None] = {**rare, **dict.fromkeys(range(2001, 3001), "common")}
    values |= dict.fromkeys(range(3001, 6001), "second")
    panel = Panel(imagined([]).model, projection.Projection(ids, points, ("a", "b")))
    figure = plots.draw_map(ImageMap((panel,), 0.94, "sub_category", values))
    cells = figure.axes[1].collections[0]
    drawn = sorted(np.asarray(cells.get_array()).tolist())
    assert drawn == [0, 1]  # second, common: not the many rare ones together
    assert {"second", "common", "unknown"} <= set(texts(figure))


def test_map_is_coloured_by_decade_on_a_scale(
    connection: Connection, pictured: models.Model
) -> None:
    drawn = plots.gather_map(connection, [pictured], {}, 0.94, "publication_decade")
    figure = plots.draw_map(drawn)
    assert {"1730s", "1770s", "unknown", "24 images by decade"} <= set(texts(figure))
    shown = figure.axes[1].collections
    assert [len(np.asarray(layer.get_offsets())) for layer in shown] == [6, 18]


def test_untrained_weights_are_named_loudly() -> None:
    ranking = imagined([0.9])
    model = replace(ranking.model, weights="untrained")
    figure = plots.draw_around(replace(ranking, model=model))
    [loud] = [text for text in paper(figure).texts if text.get_text().startswith("UNTRAINED")]
    assert loud.get_color() == style.RED
    assert loud.get_fontweight() == "bold"
    assert "resnet50 (UNTRAINED)" in texts(plots.draw_grid([replace(ranking, model=model)]))


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(tmp_path: Path, kind: str) -> None:
    for name in ("one", "two"):
        figure = plots.draw_grid([imagined([0.9, 0.8])])
        plots.save(figure, tmp_path / f"{name}.{kind}", "a title")
    one, two = (tmp_path / f"one.{kind}").read_bytes(), (tmp_path / f"two.{kind}").read_bytes()
    assert one == two
    assert one.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind])
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"one.{kind}", f"two.{kind}"]


def test_svg_holds_names_and_titles_as_text(
    connection: Connection, pictured: models.Model, tmp_path: Path
) -> None:
    plots.save(plots.draw_grid([rank(connection, pictured, "image 1", k=7)]), tmp_path / "grid.svg")
    text = (tmp_path / "grid.svg").read_text(encoding="utf-8")
    assert ">image 2</text>" in text
    assert "Flora &amp; fauna" in text
    assert "$5" in text
    assert not re.search(r"<dc:date>", text)


def test_the_users_settings_neither_get_in_nor_change() -> None:
    with mpl.rc_context({"font.size": 30, "font.family": "serif", "svg.fonttype": "path"}):
        figure = plots.draw_grid([imagined([0.9])])
        assert {text.get_fontsize() for text in paper(figure).texts} == {7, 8}
        assert {text.get_fontfamily()[0] for text in paper(figure).texts} == {"sans-serif"}
        assert mpl.rcParams["font.size"] == 30


def test_a_figure_shows_itself_in_a_notebook() -> None:
    assert plots.draw_grid([imagined([0.9])])._repr_png_().startswith(b"\x89PNG")


def test_long_titles_are_broken_and_end_in_an_ellipsis() -> None:
    lines = lettering.wrapped(TITLES[2], 26, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(lettering.width(line) <= 26 for line in lines)
    assert lettering.wrapped("short", 26, 3) == ["short"]
    assert "".join(lettering.wrapped("096240010000330_0" * 2, 20, 9)) == "096240010000330_0" * 2
    assert lettering.shortened("a" * 80 + "_end", 30).endswith("_end")
    assert lettering.clean("a\x00b\n c") == "a\N{REPLACEMENT CHARACTER}b c"


def test_where_a_figure_goes_is_seen_to_before_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plots.destination(None, "grid-a b/c") == Path("grid-a_b_c.png")
    with pytest.raises(NotFoundError, match="no folder"):
        plots.destination("no/such/x.png", "x")
    with pytest.raises(ImgsimError, match="cannot tell a format"):
        plots.destination("x.gif", "x")
    with pytest.raises(ImgsimError, match="it is a folder"):
        plots.destination(".", "x")
    Path("x.png").touch()
    with pytest.raises(ImgsimError, match="already exists"):
        plots.destination("x.png", "x")
    assert plots.destination("x.png", "x", force=True) == Path("x.png")


def test_real_prints_are_shown_each_by_its_own_picture(
    connection: Connection, prints: Path
) -> None:
    files = sorted((prints / "bewick_select_fables").glob("*.*"))[:9]
    files = [file for file in files if file.suffix in (".png", ".jpg", ".gif")]
    model = store(connection, "m", clustered(len(files), 16))
    for number, file in enumerate(files, 1):
        take_in_again(connection, number, file)
        connection.execute(
            "update imgsim.image set name = %s where image_id = %s", [file.stem, number]
        )
    ranking = rank(connection, model, files[0].stem, k=len(files) - 1)
    for figure in (
        plots.draw_grid([ranking]),
        plots.draw_around(ranking),
        plots.draw_timeline(ranking, -1.0),
    ):
        drawn = pictures(figure)
        assert drawn.keys() == {file.stem for file in files}
        for file in files:
            with Image.open(file) as opened:
                grey = np.asarray(opened.convert("L").resize((8, 8)), float).ravel()
            shown = np.asarray(drawn[file.stem].get_array(), np.uint8)
            seen = np.asarray(Image.fromarray(shown).convert("L").resize((8, 8)), float).ravel()
            assert np.corrcoef(grey, seen)[0, 1] > 0.98
