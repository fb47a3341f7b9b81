"""A picture may be a region of a page: taken in, recognised, compared, moved and removed as one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from benchmarks.cutting import overlap
from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.images.boxes import Box
from imgsim.images.decoding import Picture
from imgsim.images.files import Found, look_at
from imgsim.images.sizes import page_sizes
from imgsim.images.stored import open_picture
from tests.conftest import Answer
from tests.unit.test_finding import CUT
from tests.unit.test_finding import page as typed

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")
PAGE = "017610010100330"
ONE, OTHER = Box(60, 50, 240, 336), Box(60, 480, 240, 336)

PICTURES = """
    select i.name, i.x, i.y, i.width, i.height, i.frames, i.page_id, i.illustration
    from imgsim.image i
    order by i.path, i.frame, i.x nulls first, i.y
"""


def plate(seed: int) -> Image.Image:
    return plates.draw(seed, (240, 336)).convert("L")


def page(*seeds: int) -> Image.Image:
    """A page of 400 x 900 pixels with pictures below each other."""
    sheet = Image.new("L", (400, 900), 235)
    for seed, box in zip(seeds, (ONE, OTHER), strict=False):
        sheet.paste(plate(seed), (box.x, box.y))
    return sheet


def rows(file: Path, *boxes: tuple[str, Box], **more: str) -> Path:
    """A table of regions."""
    names = ["page", "x", "y", "width", "height", *more]
    lines = [",".join([name, str(box), *more.values()]) for name, box in boxes]
    file.write_text("\n".join([",".join(names), *lines]) + "\n")
    return file


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pages with two pictures each, the first on both; and a picture that is cut out."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scans"
    folder.mkdir()
    page(1, 2).save(folder / f"{PAGE}.png")
    page(1, 3).save(folder / "other.png")
    plate(2).save(folder / "cut.png")
    return folder


def taken_in(imgsim: Imgsim, scans: Path) -> None:
    file = rows(scans / "r.csv", *((f"{n}.png", b) for n in (PAGE, "other") for b in (ONE, OTHER)))
    assert imgsim("region", "load", file, "--accept", "--by", "me").code == 0
    assert imgsim("ingest", scans, *FAST).code == 0


def test_accepted_regions_are_pictures_with_the_name_and_page_that_ecco_gives_them(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    taken_in(imgsim, scans)
    other = scans.parent / "more"
    other.mkdir()
    page(8).save(other / "text.png")
    only = imgsim("ingest", other, scans, "--only-regions", *FAST)
    assert only.code == 0
    assert "2 pages without an accepted region, skipped" in only.err
    assert connection.execute(PICTURES).fetchall() == [
        (f"{PAGE}_0", 60, 50, 240, 336, 2, PAGE, 0),
        (f"{PAGE}_1", 60, 480, 240, 336, 2, PAGE, 1),
        ("cut", None, None, 240, 336, 1, None, None),
        ("other_0", 60, 50, 240, 336, 2, None, None),
        ("other_1", 60, 480, 240, 336, 2, None, None),
    ]
    again = imgsim("ingest", scans, *FAST)
    assert again.code == 0
    assert "3 unchanged" in again.err
    # The pixels are those of the region: a picture cut by hand has the same vector.
    (best, *_) = json.loads(imgsim("similar", f"{PAGE}_1", "--format", "json").out)
    assert best["name"] == "cut"
    assert best["similarity"] > 0.9999
    assert "same block" in imgsim("verify", f"{PAGE}_1", "cut").out
    assert "same block" in imgsim("verify", f"{PAGE}_0", "other_0").out
    assert "unrelated" in imgsim("verify", f"{PAGE}_0", f"{PAGE}_1").out
    # A page itself can be asked for, though it is not stored.
    assert imgsim("similar", scans / "other.png").code == 0
    plot = imgsim("plot", "grid", f"{PAGE}_0", "-o", scans.parent / "grid.png")
    assert plot.code == 0
    assert "cannot" not in plot.err


def test_a_file_follows_what_is_decided_about_its_regions(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    def names() -> list[str]:
        return [row[0] for row in connection.execute(PICTURES)]

    file = rows(scans / "r.csv", ("other.png", ONE), ("other.png", OTHER), score="0.5")
    assert imgsim("region", "load", file, "--by", "me").code == 0
    assert imgsim("ingest", scans / "other.png", *FAST).code == 0
    assert names() == ["other"]
    assert "0 regions" in imgsim("region", "accept", scans, "--above", "0.6", "--by", "me").err
    assert "2 regions accepted" in imgsim("region", "accept", scans, "--by", "me").err
    assert "1 changed" in imgsim("ingest", scans / "other.png", *FAST).err
    assert names() == ["other_0", "other_1"]
    # A picture that is taken out stays out, and the numbers of the others stay.
    assert "1 region rejected" in imgsim("region", "reject", "other_0", "--by", "me").err
    assert imgsim("region", "reject", "nothing_7", "--by", "me").code == 1
    assert imgsim("ingest", scans / "other.png", *FAST).code == 0
    assert names() == ["other_1"]
    # Loaded again as a proposal, a region keeps what was decided.
    assert "2 regions known already" in imgsim("region", "load", file, "--by", "me").err
    states = connection.execute("select state from imgsim.region order by number").fetchall()
    assert states == [("rejected",), ("accepted",)]
    assert imgsim("region", "reject", "other_1", "--by", "me").code == 0
    assert imgsim("ingest", scans / "other.png", *FAST).code == 0
    assert names() == ["other"]


def test_regions_go_with_their_file(imgsim: Imgsim, scans: Path, connection: Connection) -> None:
    taken_in(imgsim, scans)
    (scans / "other.png").rename(scans / "second.png")
    assert "1 moved" in imgsim("ingest", scans, *FAST).err
    ids = "select name, image_id from imgsim.image where x is not null order by name"
    before: dict[str, int] = dict(connection.execute(ids).fetchall())
    assert sorted(before) == [f"{PAGE}_0", f"{PAGE}_1", "second_0", "second_1"]
    assert "3 unchanged" in imgsim("ingest", scans, *FAST).err
    (scans / "second.png").rename(scans / "third.png")
    assert imgsim("relocate", scans / "second.png", scans / "third.png").code == 0
    assert "3 unchanged" in imgsim("ingest", scans, *FAST).err
    after: dict[str, int] = dict(connection.execute(ids).fetchall())
    assert after["third_1"] == before["second_1"]
    assert imgsim("remove", "--yes", scans / "third.png").code == 0
    left = [row[0] for row in connection.execute(ids)]
    assert left == [f"{PAGE}_0", f"{PAGE}_1"]


def test_a_page_that_changed_is_refused_until_its_regions_are_found_again(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    taken_in(imgsim, scans)
    page(4, 5).save(scans / "other.png")
    refused = imgsim("ingest", scans, *FAST)
    assert refused.code == 3
    assert "changed since its regions were found" in refused.err
    assert imgsim("region", "load", scans / "r.csv", "--by", "me").code == 0
    assert imgsim("ingest", scans, *FAST).code == 0
    plate(4).save("four.png")
    (best, *_) = json.loads(imgsim("similar", "four.png", "--format", "json").out)
    assert best["name"] == "other_0"
    assert best["similarity"] > 0.9999
    assert "3 unchanged" in imgsim("ingest", scans, *FAST).err


def test_a_copy_of_a_page_with_regions_is_a_page_of_its_own(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    taken_in(imgsim, scans)
    (scans / "again.png").write_bytes((scans / "other.png").read_bytes())
    assert imgsim("ingest", scans, *FAST).code == 0
    found = connection.execute("select name, width from imgsim.image where name like 'again%'")
    assert found.fetchall() == [("again", 400)]


def test_a_page_of_several_has_regions_and_the_others_are_whole(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    book = scans / "book.tif"
    page(6, 7).save(book, save_all=True, append_images=[page(8), page(9)])
    file = rows(scans / "r.csv", ("book.tif", OTHER), ("book.tif", ONE), frame="1")
    assert imgsim("region", "load", file, "--accept", "--by", "me").code == 0
    for _ in range(2):
        assert imgsim("ingest", book, *FAST).code == 0
        assert [row[0] for row in connection.execute(PICTURES)] == [
            *("book_1", "book_0", "book#2", "book#3")
        ]
    assert "1 unchanged" in imgsim("ingest", book, *FAST).err
    page(6, 7).save(book)
    assert imgsim("region", "load", file, "--accept", "--by", "me").code == 0
    assert imgsim("ingest", book, *FAST).code == 0
    assert [row[0] for row in connection.execute(PICTURES)] == ["book_1", "book_0"]


def test_a_region_of_a_reduced_or_turned_jpeg_is_the_right_part(tmp_path: Path) -> None:
    sheet = page(1, 2).resize((1600, 3600), Image.Resampling.BICUBIC)
    box = Box(*(4 * side for side in (OTHER.x, OTHER.y, OTHER.width, OTHER.height)))
    exif = Image.Exif()
    exif[274] = 6
    sheet.save(tmp_path / "plain.jpg", quality=95)
    sheet.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "lying.jpg", quality=95, exif=exif)
    for name in ("plain.jpg", "lying.jpg"):
        found = look_at(str(tmp_path / name))
        assert isinstance(found, Found)
        assert page_sizes(found) == [(1600, 3600)]
        for draft in (None, lambda w, h: (w // 4, h // 4)):
            cut = open_picture(str(tmp_path / name), draft_size=draft, box=box)
            assert isinstance(cut, Picture)
            assert (cut.frame.width, cut.frame.height) == (960, 1344)
            assert draft is None or cut.image.width < 960
            difference = ImageChops.difference(cut.image.resize((240, 336)), plate(2))
            assert np.asarray(difference).mean() < 12


def test_boxes_that_are_not_on_their_page_and_pages_that_are_not_there_are_told(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    file = scans / "r.csv"
    lines = ["page,left,top,right,bottom,kind"]
    lines += ["other.png,60,50,300,386,picture", "other.png,60,50,900,386,picture"]
    lines += ["nowhere.png,1,1,9,9,picture", "other.png,60,,300,386,picture"]
    (scans / "none.csv").write_text(lines[0])
    none = imgsim("region", "load", scans / "none.csv", "--by", "me")
    assert (none.code, "no region is in this file" in none.err) == (3, True)
    lines += ["other.png,90,90,20,20,picture", "other.png,60,50,300", "other,60,480,300,816,"]
    file.write_text("\n".join(lines))
    said = imgsim("region", "load", file, "--by", "me")
    assert said.code == 3
    assert "2 regions new" in said.err
    for told in ("line 3: 60,50,840,336 on other.png", "line 4: nowhere.png", "line 5: y is not a"):
        assert told in said.err
    assert "line 6: 90,90,-70,-70" in said.err
    assert "line 7: 4 cells for 6 columns" in said.err
    assert connection.execute("select count(*) from imgsim.region").fetchone() == (2,)


ALTO = """<alto xmlns="http://www.loc.gov/standards/alto/ns-v4#"><Description>
<MeasurementUnit>pixel</MeasurementUnit><sourceImageInformation><fileName>other.jp2</fileName>
</sourceImageInformation></Description>
<Tags><OtherTag ID="T1" LABEL="GraphicZone"/><OtherTag ID="T2" LABEL="MainZone"/></Tags>
<Layout><Page WIDTH="800" HEIGHT="1800"><PrintSpace>
<Illustration ID="i1" HPOS="120" VPOS="100" WIDTH="480" HEIGHT="672"/>
<TextBlock ID="b1" TAGREFS="T1" HPOS="120" VPOS="960" WIDTH="480" HEIGHT="672"/>
<TextBlock ID="b2" TAGREFS="T2" HPOS="0" VPOS="0" WIDTH="10" HEIGHT="10"/>
</PrintSpace></Page></Layout></alto>"""

PAGE_XML = """<PcGts xmlns="http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15">
<Page imageFilename="other.png" imageWidth="400" imageHeight="900">
<ImageRegion id="r1"><Coords points="60,50 300,50 300,386 60,386"/></ImageRegion>
<TextRegion id="r2" custom="structure {type:GraphicZone;}"><Coords>
<Point x="60" y="480"/><Point x="300" y="816"/></Coords></TextRegion>
<TextRegion id="r3"><Coords points="0,0 9,9"/></TextRegion></Page></PcGts>"""

COCO = {
    "images": [{"id": 7, "file_name": "scans/other.png", "width": 400, "height": 900}],
    "categories": [{"id": 1, "name": "woodcut"}],
    "annotations": [
        {"image_id": 7, "category_id": 1, "bbox": [60, 50, 240, 336], "score": 0.9},
        {"image_id": 7, "category_id": 1, "bbox": [60, 480, 240, 336]},
    ],
}

IIIF = {
    "type": "AnnotationPage",
    "items": [
        {"type": "Annotation", "target": "https://library.example/canvas/other#xywh=60,50,240,336"},
        {
            "type": "Annotation",
            "target": {
                "source": {"id": "https://library.example/canvas/other"},
                "selector": {
                    "type": "FragmentSelector",
                    "value": "xywh=percent:15,53.3333,60,37.3333",
                },
            },
        },
    ],
}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.xml", ALTO, "ALTO"),
        ("p.xml", PAGE_XML, "PAGE XML"),
        ("c.json", json.dumps(COCO), "COCO"),
        ("i.json", json.dumps(IIIF), "IIIF annotations"),
        ("r.jsonl", '{"file": "other.png", "x": 60, "y": 50, "w": 240, "h": 336}\n' * 2, "JSON"),
    ],
    ids=["alto", "page", "coco", "iiif", "json-lines"],
)
def test_every_format_gives_the_same_boxes(
    imgsim: Imgsim, scans: Path, connection: Connection, name: str, text: str, kind: str
) -> None:
    (scans / name).write_text(text)
    said = imgsim("region", "load", scans / name, "--by", "me")
    assert said.code == 0
    assert kind in said.err
    (scans / name).write_text(text, "utf-16" if name.endswith(".xml") else None)
    assert "2 regions known" in imgsim("region", "load", scans / name, "--by", "me").err or (
        kind == "JSON"
    )
    found = connection.execute("select x, y, width, height, number from imgsim.region order by y")
    expected = [(60, 50, 240, 336, 0), (60, 480, 240, 336, 1)]
    assert found.fetchall() == (expected[:1] if kind == "JSON" else expected)


def test_pictures_found_on_pages_are_proposed_and_a_second_look_keeps_what_was_decided(
    imgsim: Imgsim, scans: Path, connection: Connection
) -> None:
    folder = scans.parent / "book"
    folder.mkdir()
    typed(cut=CUT).save(folder / "one.png")
    typed(cut=None).save(folder / "two.png")
    (folder / "bad.png").write_bytes(b"no picture")
    first = imgsim("cut", folder, "--by", "me")
    assert first.code == 3
    assert "2 pages, 1 without a picture" in first.err
    assert "1 region new" in first.err
    assert "cannot read" in first.err
    (folder / "bad.png").unlink()
    state = "select frame, x, y, width, height, state, method, version from imgsim.region"
    ((frame, *box, decided, method, version),) = connection.execute(state).fetchall()
    assert overlap(Box(*box), CUT) > 0.75
    assert (frame, decided, method, version) == (1, "proposed", "imgsim cut", "1")
    assert imgsim("region", "reject", "one_0", "--by", "me").code == 0
    assert "1 region known already" in imgsim("cut", folder, "--by", "me").err
    assert connection.execute(state).fetchall()[0][5] == "rejected"


def test_files_that_hold_no_regions_are_named_for_what_they_are(
    imgsim: Imgsim, scans: Path
) -> None:
    for text, words in (
        ("<html></html>", "its XML begins with <html>"),
        ("<alto><x></alto>", "damaged XML"),
        ("<alto><MeasurementUnit>mm10</MeasurementUnit></alto>", "measured in mm10"),
        ('{"type": "Manifest", "items": []}', "neither COCO nor IIIF"),
        ("a,b\n1,2\n", "it has the columns a, b"),
    ):
        file = scans / ("f.json" if text.startswith("{") else "f.txt")
        file.write_text(text)
        said = imgsim("region", "load", file, "--by", "me")
        assert said.code == 1
        assert words in " ".join(said.err.split())
