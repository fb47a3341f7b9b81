"""Figures of evidence and groups: pictures lie where they should, and counts are the true ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image, ImageOps

from imgsim import plots
from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.errors import ImgsimError, NotFoundError
from imgsim.plots import group, laying, overlay, reuse
from imgsim.plots.figures import FIGURES
from imgsim.plots.layout import style
from imgsim.plots.reuse import Decade, Reuse, Route
from imgsim.reuse import groups
from imgsim.reuse.evidence import verification
from imgsim.reuse.evidence.verification import Pair
from tests.pictures import take_in_again
from tests.reuse import add_book, add_images, chain, judge

Pixels = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def plate() -> Image.Image:
    return plates.draw(13, (360, 480)).convert("L")


def turned(picture: Image.Image, degrees: float, scale: float = 1.0) -> Image.Image:
    size = round(picture.width * scale), round(picture.height * scale)
    return picture.resize(size, Image.Resampling.LANCZOS).rotate(
        degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=245
    )


def saved(folder: Path, **pictures: Image.Image) -> dict[str, str]:
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    return {name: str(folder / f"{name}.png") for name in pictures}


def texts(figure: Figure) -> list[str]:
    found = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text.get_text() for text in found if text.get_text()]


def said(figure: Figure) -> str:
    return " ".join(texts(figure))


def pictures(figure: Figure) -> dict[str, AxesImage]:
    return {
        str(image.get_gid()).removeprefix("picture "): image
        for image in figure.axes[0].images
        if str(image.get_gid()).startswith("picture ")
    }


def pixels(figure: Figure, name: str) -> Pixels:
    return np.asarray(pictures(figure)[name].get_array(), np.float64) / 255


def of_one_only(laid: Pixels) -> float:
    """The share of all ink that is clearly red or cyan."""
    inked = laid.min(axis=2) < 0.5
    coloured = laid.max(axis=2) - laid.min(axis=2) > 0.4
    return float((inked & coloured).sum() / inked.sum())


def marked(figure: Figure, gid: str) -> list[Rectangle]:
    return [
        patch
        for patch in figure.axes[0].patches
        if isinstance(patch, Rectangle) and str(patch.get_gid()).startswith(gid)
    ]


def lines(figure: Figure) -> list[Pixels]:
    return [
        np.asarray(line.get_xydata(), np.float64)
        for line in figure.axes[0].lines
        if line.get_gid() == "match"
    ]


@pytest.mark.parametrize("width", ["single", "double"])
def test_a_turned_and_smaller_impression_lies_upon_the_first_line_upon_line(
    connection: Connection, plate: Image.Image, tmp_path: Path, width: str
) -> None:
    files = saved(tmp_path, first=plate, later=turned(plate, 4, 0.8))
    figure = FIGURES["overlay"](connection, files["later"], files["first"], width=width).figure
    laid = pixels(figure, "A over B")
    grey = plate.resize(laid.shape[1::-1], Image.Resampling.BICUBIC)
    ink = np.asarray(grey) < 60
    assert ink.sum() > 1000
    assert np.median(laid[ink].max(axis=1)) < 0.35
    assert of_one_only(laid) < 0.1
    assert "Same block; probability" in said(figure)


def test_ink_of_one_is_red_and_of_the_other_cyan() -> None:
    one, other = np.zeros((1, 4), np.float32), np.zeros((1, 4), np.float32)
    one[0, [1, 3]] = other[0, [2, 3]] = 1
    white, red, cyan, black = np.asarray(laying.two_colours(one, other), float)[0] / 255
    assert white.tolist() == [1, 1, 1]
    assert red == pytest.approx(laying.RED_INK, abs=0.01)
    assert cyan == pytest.approx(laying.CYAN_INK, abs=0.01)
    assert black.max() < 0.15


def test_what_only_one_picture_has_is_coloured_and_differs(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    changed = plate.copy()
    changed.paste(plates.draw(3, (360, 480)).convert("L").crop((90, 60, 270, 240)), (90, 60))
    files = saved(tmp_path, plate=plate, changed=changed)
    figure = FIGURES["overlay"](connection, files["changed"], files["plate"]).figure
    laid, differ = pixels(figure, "A over B"), pixels(figure, "difference")
    share = laid.shape[0] / 480
    inside = np.s_[round(90 * share) : round(210 * share), round(120 * share) : round(240 * share)]
    below = np.s_[round(300 * share) :, :]
    assert of_one_only(laid[inside]) > 0.3 > 0.05 > of_one_only(laid[below])
    blue = 1 - differ[..., 2] / differ[..., 0].clip(0.01)
    assert blue[inside].mean() > 0.25 > 0.05 > blue[below].mean()


def test_a_mirrored_impression_is_laid_the_right_way_round(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    files = saved(tmp_path, plate=plate, copy=ImageOps.mirror(turned(plate, 2)))
    figure = FIGURES["overlay"](connection, files["copy"], files["plate"]).figure
    assert "A is mirrored" in said(figure)
    assert of_one_only(pixels(figure, "A over B")) < 0.1


def test_each_match_is_drawn_from_its_place_in_one_to_its_place_in_the_other(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    files = saved(tmp_path, plate=plate, half=plate.resize((180, 240), Image.Resampling.LANCZOS))
    figure = FIGURES["overlay"](connection, files["plate"], files["half"]).figure
    drawn = lines(figure)
    assert len(drawn) == overlay.MOST_MATCHES
    assert any(text.startswith("60 of ") and text.endswith(" matches") for text in texts(figure))
    boxes = [pictures(figure)[f"{name} with matches"].get_extent() for name in ("plate", "half")]
    for ends in drawn:
        shares = [
            ((x - left) / (right - left), (y - top) / (bottom - top))
            for (x, y), (left, right, bottom, top) in zip(ends, boxes, strict=True)
        ]
        assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_matches_are_chosen_far_apart() -> None:
    places = np.array([[0, 0], [1, 0], [2, 0], [100, 0], [0, 100], [101, 0]], float)
    assert sorted(overlay.spread(places, 3)) in ([0, 3, 4], [0, 4, 5])
    assert sorted(overlay.spread(places, 60)) == list(range(6))
    assert overlay.spread(np.zeros((0, 2)), 60) == []


def test_a_part_is_framed_in_both_pictures_and_where_they_are_laid(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    sheet = Image.new("L", (1200, 560), 245)
    for beside, figure_on_it in (
        (20, plates.draw(11, (360, 480))),
        (800, plates.draw(3, (360, 480))),
    ):
        sheet.paste(figure_on_it.convert("L"), (beside, 40))
    sheet.paste(plate, (400, 40))
    files = saved(tmp_path, plate=plate, sheet=sheet)
    figure = FIGURES["overlay"](connection, files["plate"], files["sheet"]).figure
    assert "Same block in part" in said(figure)
    frames = marked(figure, "shared part")
    assert len(frames) == 3
    left, right, bottom, top = pictures(figure)["sheet"].get_extent()
    (on_sheet,) = marked(figure, "shared part sheet")
    corner = (on_sheet.get_x() - left) / (right - left), (on_sheet.get_y() - top) / (bottom - top)
    assert corner == pytest.approx((400 / 1200, 40 / 560), abs=0.06)
    assert on_sheet.get_width() / (right - left) == pytest.approx(360 / 1200, abs=0.1)


def test_pictures_that_cannot_be_aligned_are_shown_and_said_to_be(
    connection: Connection, plate: Image.Image, draw: Callable[..., Image.Image], tmp_path: Path
) -> None:
    files = saved(tmp_path, plate=plate, cloud=draw(1))
    figure = FIGURES["overlay"](connection, files["plate"], files["cloud"]).figure
    assert set(pictures(figure)) == {"plate", "cloud"}
    assert "They cannot be aligned" in said(figure)
    assert lines(figure) == []


def test_an_overlay_stores_nothing(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    shelve(connection, tmp_path, [plate, turned(plate, 3)])
    FIGURES["overlay"](connection, "image 1", "image 2")
    for table in ("verification", "local_feature"):
        assert connection.execute(f"select count(*) from imgsim.{table}".encode()).fetchone() == (
            0,
        )


def test_an_overlay_takes_two_pictures_that_can_be_read(
    connection: Connection, plate: Image.Image, tmp_path: Path
) -> None:
    shelve(connection, tmp_path, [plate, plate])
    (tmp_path / "2.png").unlink()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(ImgsimError, match="are the same stored picture"):
        FIGURES["overlay"](connection, "image 1", "1")
    with pytest.raises(ImgsimError, match="cannot read image 2: there is no such file") as refused:
        FIGURES["overlay"](connection, "image 1", "image 2")
    assert str(tmp_path / "2.png") in refused.value.hint
    with pytest.raises(ImgsimError, match=r"cannot read .*broken\.png"):
        FIGURES["overlay"](connection, "image 1", str(tmp_path / "broken.png"))
    with pytest.raises(NotFoundError, match="no image is called 'nobody'"):
        FIGURES["overlay"](connection, "nobody", "image 1")


def shelve(connection: Connection, folder: Path, shown: list[Image.Image]) -> None:
    """Images 1, 2, … with pictures on disk, each in a book of its own."""
    add_images(connection, *(f"{n:010}" for n in range(1, len(shown) + 1)))
    for number, picture in enumerate(shown, 1):
        picture.save(folder / f"{number}.png")
        connection.execute(
            "update imgsim.image set width = %s, height = %s where image_id = %s",
            [*picture.size, number],
        )
        take_in_again(connection, number, folder / f"{number}.png")


@pytest.fixture
def reprinted(connection: Connection, plate: Image.Image, tmp_path: Path) -> int:
    """A group of six: a chain of turned and mirrored impressions, one by verdict alone, undated."""
    smaller, mirrored = turned(plate, 5, 0.8), ImageOps.mirror(turned(plate, -3))
    other = plates.draw(3, (300, 400)).convert("L")
    shelve(connection, tmp_path, [plate, smaller, mirrored, turned(plate, -6, 1.1), other, plate])
    told = ((1770, "London"), (1730, "Dublin"), (1790, None), (1750, "Bath"), (1760, "York"))
    for number, (year, place) in enumerate(told, 1):
        add_book(connection, f"{number:010}", year, place)
    add_book(connection, "0000000006", None, "Leeds")
    verification.verify(connection, [Pair(2, 4), Pair(1, 4), Pair(1, 3), Pair(3, 6)])
    judge(connection, 1, 5, "same block")
    groups.build(connection)
    ((group_id,),) = connection.execute("select group_id from imgsim.reuse_group").fetchall()
    return int(group_id)


@pytest.mark.parametrize("width", ["single", "double"])
def test_a_group_is_shown_in_the_order_of_its_years_the_undated_last(
    connection: Connection, reprinted: int, width: str
) -> None:
    figure = FIGURES["group"](connection, str(reprinted), width=width).figure
    assert f"Group {reprinted}: 6 pictures from 6 books, 1730 to 1790" in texts(figure)
    assert list(pictures(figure)) == [f"image {n}" for n in (2, 4, 5, 1, 3, 6)]
    heads = [text for text in texts(figure) if text.isdecimal() or text == "undated"]
    assert heads == ["1730", "1750", "1760", "1770", "1790", "undated"]
    places = [text for text in texts(figure) if text in {"London", "Dublin", "Bath", "York"}]
    assert places == ["Dublin", "Bath", "York", "London"]
    assert {"Book 1", "image 1", "Book 6"} <= set(texts(figure))


def test_members_lie_line_upon_line_by_way_of_others_and_mirrored_ones_the_right_way_round(
    connection: Connection, reprinted: int
) -> None:
    figure = FIGURES["group"](connection, str(reprinted)).figure
    reference = pixels(figure, "image 2").mean(axis=2)
    for name in ("image 4", "image 1", "image 3", "image 6"):
        laid = pixels(figure, name).mean(axis=2)
        assert laid.shape == reference.shape
        inner = np.s_[40:-40, 40:-40]
        together = np.corrcoef(laid[inner].ravel(), reference[inner].ravel())[0, 1]
        assert together > 0.7, name
    assert texts(figure).count("mirrored") == 1
    assert texts(figure).index("mirrored") > texts(figure).index("1790")


def test_a_member_without_an_alignment_is_shown_as_it_is(
    connection: Connection, reprinted: int
) -> None:
    figure = FIGURES["group"](connection, str(reprinted)).figure
    assert texts(figure).count("not aligned") == 1
    assert "1 picture cannot be aligned and is shown as it is" in texts(figure)
    assert pixels(figure, "image 5").shape != pixels(figure, "image 2").shape
    left, right, bottom, top = pictures(figure)["image 5"].get_extent()
    assert (right - left) / (bottom - top) == pytest.approx(300 / 400, rel=0.02)


def test_members_that_cannot_be_read_are_empty_frames_even_the_one_all_are_aligned_to(
    connection: Connection, reprinted: int, tmp_path: Path
) -> None:
    before = FIGURES["group"](connection, str(reprinted)).figure
    for number in (2, 4):
        (tmp_path / f"{number}.png").unlink()
    figure = FIGURES["group"](connection, str(reprinted)).figure
    empty = [patch.get_gid() for patch in marked(figure, "empty frame")]
    assert empty == ["empty frame image 2", "empty frame image 4"]
    for name in ("image 1", "image 3", "image 6"):
        assert (pixels(figure, name) == pixels(before, name)).all()


def test_of_a_large_group_the_earliest_are_shown_and_of_how_many(
    connection: Connection, reprinted: int
) -> None:
    figure = FIGURES["group"](connection, str(reprinted), at_most=3).figure
    assert "The earliest 3 of 6 are shown" in texts(figure)
    assert list(pictures(figure)) == ["image 2", "image 4", "image 5"]


def test_alignments_are_chained_and_inverted_to_the_image_that_most_can_reach() -> None:
    def shift(x: float, y: float = 0) -> Pixels:
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], float)

    links = {(1, 2): shift(10), (2, 3): shift(0, 5), (3, 9): shift(7), (4, 5): shift(1)}
    reference, found = group.aligned([5, 4, 3, 9, 1], links)
    assert reference == 3
    assert set(found) == {1, 2, 3, 9}
    for image, x, y in ((1, 10, 5), (2, 0, 5), (3, 0, 0), (9, -7, 0)):
        assert found[image] == pytest.approx(shift(x, y))
    reference, found = group.aligned([7, 8], {})
    assert (reference, list(found)) == (7, [7])


def test_a_group_that_is_not_there_is_one_clear_message(connection: Connection) -> None:
    with pytest.raises(ImgsimError, match="no groups have been built yet"):
        FIGURES["group"](connection, "1")
    chain(connection)
    groups.build(connection)
    for called in ("77", "nine", "-1"):
        with pytest.raises(NotFoundError, match="there is no group") as refused:
            FIGURES["group"](connection, called)
        assert "imgsim report groups" in refused.value.hint


def bars(figure: Figure) -> dict[str, dict[int, float]]:
    """The heights of the bars by what they count and decade."""
    (axes,) = (axes for axes in figure.axes if axes.get_label() == "decades")
    return {
        str(container.get_label()): {
            round(bar.get_x() + bar.get_width() / 2): bar.get_height()
            for bar in container
            if isinstance(bar, Rectangle)
        }
        for container in axes.containers
        if isinstance(container, tuple)
    }


def places(figure: Figure) -> Axes | None:
    return next((axes for axes in figure.axes if axes.get_label() == "places"), None)


def cells(axes: Axes) -> dict[tuple[str, str], str]:
    """What is written in the table, by row and column."""
    rows = [label.get_text() for label in axes.get_yticklabels()]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    return {
        (rows[int(text.get_position()[1])], columns[int(text.get_position()[0])]): text.get_text()
        for text in axes.texts
    }


@pytest.fixture
def travelled(connection: Connection) -> None:
    """Two groups: three later pictures in two places of one decade, and one of unknown place."""
    add_images(connection, *(f"{n:010}" for n in range(1, 8)))
    told = (
        *((1701, "London"), (1752, "Dublin"), (1755, "London"), (1799, "Dublin")),
        *((1720, "Bath"), (1751, "Dublin"), (1760, None)),
    )
    for number, (year, place) in enumerate(told, 1):
        add_book(connection, f"{number:010}", year, place)
    for one, other in ((1, 2), (2, 3), (3, 4), (5, 6), (6, 7)):
        judge(connection, one, other, "same block")
    groups.build(connection)


@pytest.mark.parametrize("width", ["single", "double"])
def test_bars_are_the_pictures_and_groups_that_appear_again_in_a_decade(
    connection: Connection, travelled: None, width: str
) -> None:
    figure = FIGURES["reuse"](connection, width=width).figure
    assert bars(figure) == {
        "images": {1750: 3, 1760: 1, 1790: 1},
        "groups": {1750: 2, 1760: 1, 1790: 1},
    }
    assert "Re-use: 5 pictures appear again" in texts(figure)
    assert any("1750s to 1790s" in text for text in texts(figure))


def test_the_table_counts_from_where_to_where(connection: Connection, travelled: None) -> None:
    axes = places(FIGURES["reuse"](connection).figure)
    assert axes is not None
    assert cells(axes) == {
        ("London", "Dublin"): "2",
        ("London", "London"): "1",
        ("Bath", "Dublin"): "1",
        ("Bath", "not known"): "1",
    }
    frames = [
        (patch.get_x(), patch.get_y()) for patch in axes.patches if isinstance(patch, Rectangle)
    ]
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert frames == [(columns.index("London"), rows.index("London"))]


def test_places_that_are_not_named_are_counted_together(
    connection: Connection, travelled: None
) -> None:
    axes = places(FIGURES["reuse"](connection, places=1).figure)
    assert axes is not None
    assert cells(axes) == {
        ("other", "Dublin"): "3",
        ("other", "other"): "1",
        ("other", "not known"): "1",
    }


def test_without_places_it_is_said_and_the_bars_are_drawn(
    connection: Connection, travelled: None
) -> None:
    connection.execute("update imgsim.ecco_document set publication_place = null")
    figure = FIGURES["reuse"](connection).figure
    assert places(figure) is None
    assert "Places are not shown" in said(figure)
    assert bars(figure)["images"] == {1750: 3, 1760: 1, 1790: 1}


def test_without_anything_to_show_it_says_what_is_lacking(connection: Connection) -> None:
    with pytest.raises(ImgsimError, match="no groups have been built yet"):
        FIGURES["reuse"](connection)
    chain(connection)
    groups.build(connection, least=1)
    with pytest.raises(ImgsimError, match="there are no groups of re-use"):
        FIGURES["reuse"](connection)
    groups.build(connection)
    with pytest.raises(ImgsimError, match="the year is not known") as lacking:
        FIGURES["reuse"](connection)
    assert "imgsim metadata load" in lacking.value.hint
    for number in range(1, 5):
        add_book(connection, f"{number:010}", 1750, "London")
    with pytest.raises(ImgsimError, match="is known to appear again in a later year"):
        FIGURES["reuse"](connection)


@pytest.mark.parametrize("width", ["single", "double"])
@pytest.mark.parametrize("most", [None, 20])
def test_many_long_names_of_places_stay_inside_the_page(width: str, most: int | None) -> None:
    names = [f"{'Newcastle upon Tyne and' if n % 2 else 'Bath'} {n}" for n in range(30)]
    routes = [Route(a, b, 1 + 37 * (n % 5)) for n, a in enumerate(names) for b in names[:25]]
    decades = tuple(Decade(1500 + 10 * n, n, 1000 * n) for n in range(1, 40))
    figure = reuse.draw_reuse(Reuse(decades, tuple(routes)), width, most)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text.get_text() and text.get_visible():
            with style.settings():
                extent = text.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
            assert float(text.get_fontsize()) >= 7
            assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1, text
            assert 0 <= extent.y0 < extent.y1 <= figure.bbox.y1, text


@pytest.mark.parametrize("width", ["single", "double"])
def test_letters_of_an_overlay_and_a_group_stay_inside_the_page(
    connection: Connection, reprinted: int, width: str
) -> None:
    connection.execute(
        "update imgsim.ecco_document set ecco_full_title = %s, publication_place = %s",
        ["An exact and copious " + "description of all the plants known " * 8, "Newcastle " * 4],
    )
    for name, given in (("overlay", ("image 1", "image 2")), ("group", (str(reprinted),))):
        figure = FIGURES[name](connection, *given, width=width).figure
        for text in figure.axes[0].texts:
            with style.settings():
                extent = text.get_window_extent(figure.canvas.get_renderer())  # type: ignore[attr-defined]
            assert float(text.get_fontsize()) >= 7
            assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1, text
            assert extent.y0 >= 0, text


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_figure_is_the_same_file(
    connection: Connection, travelled: None, tmp_path: Path, kind: str
) -> None:
    for name in ("one", "two"):
        plots.save(FIGURES["reuse"](connection).figure, tmp_path / f"{name}.{kind}")
    assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()
