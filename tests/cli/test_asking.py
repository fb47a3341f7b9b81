"""The commands that ask the store, as they are typed."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from imgsim.database.connection import Connection
from tests.conftest import Answer
from tests.vectors import clustered, store

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")


@pytest.fixture
def filled(connection: Connection) -> None:
    """Two models over 60 images in seven books, one of which is in the bibliography."""
    store(connection, "resnet18", clustered(60, 32))
    store(connection, "resnet50", clustered(60, 64))
    connection.execute(
        "insert into imgsim.ecco_document (ecco_id, ecco_full_title, publication_year) "
        "values ('0000000001', 'The [bold] herbal', 1752)"
    )


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.usefixtures("filled")
def test_similar_prints_ranks_scores_and_books(imgsim: Imgsim) -> None:
    answer = imgsim("similar", "image 1", "-k", "60")
    assert answer.code == 0
    assert "The [bold] herbal" in answer.out
    assert "60 requested, 59 found: resnet50 has looked at no more pictures" in answer.err
    rows = records(imgsim("similar", "image 1", "--format", "csv").out)
    assert [row["rank"] for row in rows] == [str(n) for n in range(1, 11)]
    assert {row["model"] for row in rows} == {"resnet50"}
    assert all(len(row["ecco_id"]) == 10 for row in rows)
    same = json.loads(imgsim("similar", "1", "--format", "json").out)
    assert [record["name"] for record in same] == [row["name"] for row in rows]
    assert isinstance(same[0]["ecco_id"], str)


@pytest.mark.usefixtures("filled")
def test_models_are_shown_side_by_side(imgsim: Imgsim) -> None:
    answer = imgsim("similar", "image 1", "-k", "3", "--model", "resnet18", "--model", "resnet50")
    lines = [line.split() for line in answer.out.splitlines() if line.strip()]
    assert lines[0] == ["rank", "resnet18", "similarity", "resnet50", "similarity"]
    assert [line[0] for line in lines[2:]] == ["1", "2", "3"]


@pytest.mark.usefixtures("filled")
def test_a_threshold_that_nothing_reaches_names_the_nearest(imgsim: Imgsim) -> None:
    answer = imgsim("similar", "image 1", "--threshold", "0.9999")
    assert answer.code == 0
    assert "no image reaches 0.9999; the nearest is image " in answer.err


@pytest.mark.usefixtures("filled")
def test_other_documents_only_leaves_out_the_own_book(imgsim: Imgsim) -> None:
    rows = records(
        imgsim("similar", "8", "-k", "59", "--other-documents-only", "--format", "csv").out
    )
    assert rows
    assert "0000000001" not in {row["ecco_id"] for row in rows}


def test_any_image_file_can_be_asked_about(imgsim: Imgsim, folder: Path, tmp_path: Path) -> None:
    from PIL import Image

    imgsim("ingest", folder, *FAST)
    (first,) = folder.glob("*010_0.png")
    stranger = tmp_path / "stranger.bmp"
    with Image.open(first) as opened:
        opened.save(stranger)
    rows = records(imgsim("similar", stranger, "--format", "csv").out)
    assert len(rows) == 6  # all, for the file itself is not in the store
    assert rows[0]["name"] == first.stem
    assert float(rows[0]["similarity"]) > 0.999
    same_content = records(imgsim("similar", first, "--format", "csv").out)
    assert first.stem not in {row["name"] for row in same_content}
    (tmp_path / "no.png").write_text("no picture")
    answer = imgsim("similar", tmp_path / "no.png")
    assert answer.code == 1
    assert "not an image" in answer.err


def test_an_empty_store_says_what_to_do(imgsim: Imgsim) -> None:
    answer = imgsim("similar", "anything")
    assert answer.code == 1
    assert "no image is called 'anything'" in answer.err
    assert "imgsim ingest" in imgsim("neighbours").err
    assert "no models yet" in imgsim("model", "list").err
    assert "no failures" in imgsim("report", "failures").err


@pytest.mark.usefixtures("filled")
def test_overlap_fills_missing_lists_first_and_sums_to_all_images(imgsim: Imgsim) -> None:
    rows = records(imgsim("report", "overlap", "--format", "csv").out)
    assert [row["shared"] for row in rows] == ["4", "3", "2", "1", "0"]
    assert sum(int(row["images"]) for row in rows) == 60
    assert "60 images" in imgsim("report", "overlap").err
    assert imgsim("report", "overlap", "--model", "resnet18", "vgg").code == 1


@pytest.mark.usefixtures("filled")
def test_neighbours_are_filled_once(imgsim: Imgsim) -> None:
    assert imgsim("neighbours", "-k", "5").said == (
        "resnet18: 60 lists computed\nresnet50: 60 lists computed\n"
    )
    assert "already up to date" in imgsim("neighbours", "-k", "5").err


def test_models_are_added_listed_and_removed(imgsim: Imgsim) -> None:
    added = imgsim(
        *("model", "add", "shufflenet_v2_x0_5", "--name", "small", "--weights", "untrained")
    )
    assert added.code == 0
    assert "1,024 numbers a picture, untrained, fit; in psql imgsim.embedding_small" in added.err
    listed = records(imgsim("model", "list", "--format", "csv").out)
    assert [(row["model"], row["index_state"]) for row in listed] == [("small", "valid")]
    assert imgsim("model", "remove", "small", "--yes").err == "small removed\n"
    assert imgsim("model", "remove", "small", "--yes").code == 1
    assert "no classification network" in imgsim("model", "add", "resnet19").err
    assert imgsim("model", "add", "resnet18", "--name", "Bad Name!").code == 1


def test_weights_that_cannot_be_fetched_are_explained(imgsim: Imgsim) -> None:
    answer = imgsim("model", "fetch", "resnet18", "--weights", "IMAGENET1K_V9")
    assert answer.code == 1
    assert "IMAGENET1K_V1" in answer.err


def test_every_command_explains_itself(imgsim: Imgsim) -> None:
    import click

    from imgsim.cli import imgsim as root

    def walk(command: click.Command, path: tuple[str, ...]) -> None:
        answer = imgsim(*path, "--help")
        assert answer.code == 0
        assert command.help, f"{' '.join(path)} has no help"
        if isinstance(command, click.Group):
            for name, child in command.commands.items():
                walk(child, (*path, name))

    walk(root, ())
