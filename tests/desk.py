"""A reader's desk, as the pages in docs/ take it for granted: pictures, and tables about them."""

from __future__ import annotations

import csv
import hashlib
import os
import shlex
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch
import torchvision
from PIL import Image

from imgsim.__main__ import run
from imgsim.networks import architectures

CHECKOUT = Path(__file__).resolve().parents[1]
HERBAL, GARDEN, LINKED = "0001700104", "0024300200", "0096240010"
Draw = Callable[[int], Image.Image]

METADATA = f"""\
ecco_id,estc_id,ecco_full_title,ecco_pages,language_primary,gatherings,publication_year,\
publication_decade,work_id,publication_place,publication_country,document_type,sub_category,\
authors,shelfmark
{int(HERBAL)},T052134,A new herbal,212,English,4to,1752.0,1750,1-new herbal,London,England,Book,\
natural history,"Hill, John",435.f.6
{int(HERBAL)},T052134,A new herbal,212,English,4to,1752.0,1750,1-new herbal,London,England,Book,\
natural history,"Hill, John",435.f.6
{int(GARDEN)},(CU-RivES)N30954,The gardener's companion,96,English,8vo,1789-00-00,1780,\
2-companion,Dublin,Ireland,Book,natural history,NA,
{LINKED},T132339_2,"Emblems, moral and divine",NA,English,12mo,NA,NA,3-emblems,London,England,\
Book,literature,"Quarles, Francis",
{LINKED},T132339_2,"Emblems, moral and divine",NA,English,12mo,NA,NA,3-emblems,Bristol,England,\
Book,literature,"Quarles, Francis",
0055500300,T99001,A voyage to the East,320,English,8vo,1766,1760,4-voyage,London,England,Book,\
history and geography,,
"""

LINKS = f"""\
file,document,page
plates/frontispiece.png,{int(LINKED)},2
plates/plate_1.png,{int(LINKED)},17
plates/plate_9.png,{int(LINKED)},99
"""

ACTORS = (
    ("T52134", "hill_1", "Hill, John", "author"),
    ("T52134", "osborne_1", "Osborne, Thomas", "publisher"),
    ("T52134", "hodges_2", "Hodges, James", "publisher"),
    ("N30954", "osborne_1", "Osborne, Thomas", "publisher"),
    ("T132339", "quarles_1", "Quarles, Francis", "author"),
)


def seeded_weights(folder: Path) -> dict[str, str]:
    """Weights from a seed in files, by architecture as URLs, in place of the pretrained ones."""
    urls = {}
    for architecture in ("resnet18", "resnet50"):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            network = torchvision.models.get_model(architecture, weights=None)
        torch.save(network.state_dict(), folder / "state")
        digest = hashlib.sha256((folder / "state").read_bytes()).hexdigest()
        file = (folder / "state").rename(folder / f"{architecture}-{digest[:8]}.pth")
        urls[architecture] = file.as_uri()
    return urls


def settle(place: Path, urls: dict[str, str], patch: pytest.MonkeyPatch) -> None:
    """Sit down at a desk: its own home, weights that can be fetched, `imgsim` on the path."""
    patch.chdir(place)
    patch.setenv("IMGSIM_HOME", str(place / "home"))
    patch.setenv("TORCH_HOME", str(place / "torch"))
    patch.setenv("PYTHONPATH", str(CHECKOUT))
    patch.setenv("PATH", f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}")
    patch.setattr(architectures, "pretrained_url", lambda name, weights: urls[name])


def lay(place: Path, draw: Draw) -> None:
    """Put pictures and tables on a desk: two books in `scans`, a third in `plates`."""
    for folder in ("scans", "plates", "bin"):
        (place / folder).mkdir(parents=True)
    drawn = {
        **{f"scans/{HERBAL}{page + 10:04}0_0.png": draw(page) for page in range(12)},
        **{f"scans/{GARDEN}{page + 5:04}0_0.png": _worn(draw(page)) for page in range(4)},
        **{f"scans/{GARDEN}{page + 5:04}0_0.png": draw(page + 20) for page in (4, 5)},
        "plates/frontispiece.png": draw(30),
        "plates/plate_1.png": _worn(draw(7)),
    }
    for file, picture in drawn.items():
        picture.save(place / file)
    _write_tables(place, [Path(file).stem for file in drawn if file.startswith("scans")])
    command = place / "bin" / "imgsim"
    # R puts its own libraries first, where a Python built with a shared library finds another one.
    python = f"env -u LD_LIBRARY_PATH {shlex.quote(sys.executable)}"
    command.write_text(f'#!/bin/sh\nexec {python} -m imgsim "$@"\n')
    command.chmod(0o755)


def take_in() -> None:
    """Fill the store of the desk that one sits at, and stop its server."""
    assert run(["ingest", "scans"]) == 0
    assert run(["db", "stop"]) == 0


def _worn(picture: Image.Image) -> Image.Image:
    """A later impression: greyer, and a little dirty."""
    pixels = np.asarray(picture, dtype=np.float32) * 0.9 + 12
    dirt = np.random.default_rng(0).normal(0, 4, pixels.shape)
    return Image.fromarray(np.clip(pixels + dirt, 0, 255).astype(np.uint8))


def _write_tables(place: Path, illustrations: list[str]) -> None:
    (place / "metadata.csv").write_text(METADATA, "utf-8")
    (place / "links.csv").write_text(LINKS, "utf-8")
    captions = ((name, f"Plate {number}.") for number, name in enumerate(illustrations[:10], 1))
    _write(place / "captions.csv", ("illustration_id", "caption_texts"), captions)
    _write(place / "estc_actors.csv", ("estc_id", "actor_id", "actor_name", "role"), ACTORS)
    pandas.DataFrame(
        {
            "illustration_id": illustrations,
            "category_clip": ["botanical" if n % 3 else "ornament" for n in range(18)],
            "score_clip": [round(0.5 + n / 40, 3) for n in range(18)],
        }
    ).to_parquet(place / "clip.parquet", index=False)


def _write(file: Path, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
