"""The commands that take pictures in and out, as they are typed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Answer

Imgsim = Callable[..., Answer]
FAST = ("--model", "shufflenet_v2_x0_5", "--weights", "untrained")


def test_ingest_says_what_came_of_it_and_that_untrained_means_nothing(
    imgsim: Imgsim, folder: Path
) -> None:
    (folder / "notes.txt").write_text("not a picture")
    answer = imgsim("ingest", folder, *FAST)
    assert answer.code == 0
    assert answer.out == ""
    assert (
        "shufflenet_v2_x0_5 is untrained: its similarities are meaningless, for trying "
        "things out only" in answer.err
    )
    assert "        6 new\n" in answer.err
    assert "        1 other file, skipped\n" in answer.err
    assert "        6 unchanged\n" in imgsim("ingest", folder).err


def test_failed_files_are_counted_by_reason_and_the_code_is_3(imgsim: Imgsim, folder: Path) -> None:
    (folder / "empty.png").touch()
    (folder / "also empty.png").touch()
    (folder / "text.jpg").write_text("no picture")
    answer = imgsim("ingest", folder, *FAST)
    assert answer.code == 3
    assert "        3 failed\n" in answer.err
    assert "                2 empty file\n" in answer.err
    assert "imgsim report failures" in answer.err
    listed = imgsim("report", "failures", "--format", "csv").out.splitlines()
    assert listed[0] == "path,frame,stage,reason,bytes,failed_at,run_id"
    assert len(listed) == 4
    (folder / "text.jpg").unlink()
    (folder / "empty.png").unlink()
    (folder / "also empty.png").unlink()
    assert imgsim("ingest", folder).code == 0


def test_a_dry_run_says_what_would_be_done(imgsim: Imgsim, folder: Path) -> None:
    answer = imgsim("ingest", folder, "--dry-run")
    assert answer.code == 0
    assert answer.err == (
        "a new store, with resnet18-print and resnet50-print (imgsim's own)\n"
        "this would be done:\n        6 new\n"
    )
    assert "none yet" in imgsim("doctor").out


def test_it_could_not_work_is_code_1_with_the_next_step(imgsim: Imgsim, folder: Path) -> None:
    answer = imgsim("ingest", folder / "nowhere", *FAST)
    assert answer.code == 1
    assert "error: there is no file or folder" in answer.err
    assert "  next: " in answer.err
    answer = imgsim("ingest", folder, "--model", "imagenet")
    assert answer.code == 1
    assert "IMAGENET1K_V1 of resnet18" in answer.err
    assert "resnet18-f37072fd.pth" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--weights", "a.pth"), "name the model: --model resnet18 --weights resnet18=a.pth"),
        (("--model", "resnet19", "--weights", "untrained"), "no classification network 'resnet19'"),
        (("--name-pattern", "(", *FAST), "is not a regular expression"),
        (("--name-pattern", "(?P<book>.*)", *FAST), "has no group that is known"),
        (("--device", "abacus", *FAST), "cannot use the device 'abacus'"),
        (("--workers", "0"), "0 is not in the range"),
    ],
)
def test_options_that_make_no_sense_are_explained(
    imgsim: Imgsim, folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    answer = imgsim("ingest", folder, *arguments)
    assert answer.code in (1, 2)
    assert says in answer.err
    assert "Traceback" not in answer.err


def test_a_name_pattern_of_ones_own_tells_book_and_page(imgsim: Imgsim, tmp_path: Path) -> None:
    Image.effect_noise((60, 60), 90).save(tmp_path / "0001700104_p18.png")
    imgsim("ingest", tmp_path, *FAST, "--name-pattern", r"(?P<ecco_id>\d{10})_p(?P<page>\d+)")
    shown = imgsim("similar", "0001700104_p18", "--format", "csv")
    assert shown.code == 0
    assert imgsim("similar", tmp_path / "0001700104_p18.png").code == 0


def test_remove_asks_first_and_relocate_follows_a_folder(imgsim: Imgsim, folder: Path) -> None:
    imgsim("ingest", folder, *FAST)
    refused = imgsim("remove", folder)
    assert refused.code == 1
    assert "6 images" in refused.err
    assert "give --yes" in refused.err
    assert imgsim("remove", folder / "below", "--yes").err == "1 image removed\n"
    assert imgsim("remove").code == 2
    assert imgsim("remove", "--missing").err == "there is no image to remove\n"
    folder.rename(folder.parent / "new")
    moved = imgsim("relocate", folder, folder.parent / "new")
    assert moved.err == f"5 images moved to {folder.parent / 'new'}\n"
    assert "        5 unchanged\n" in imgsim("ingest", folder.parent / "new").err
