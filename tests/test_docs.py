"""The commands in the README and in docs/ work when they are typed in order."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torchvision
from PIL import Image

from imgsim import networks
from imgsim.__main__ import run
from imgsim.cli import imgsim as root

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
NOT_OURS = ("python3 -m venv", "rm -r", ".venv/bin/pip", "docker")


def commands(page: Path) -> list[str]:
    """What a reader would type: lines that begin with $ in blocks marked as console."""
    blocks = re.findall(r"```console\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix(".venv/bin/") for line in lines if not line.startswith(NOT_OURS)]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Seeded weights in files, by architecture as URLs, in place of the hub of pretrained ones."""
    folder = tmp_path_factory.mktemp("hub")
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


@pytest.fixture
def desk(
    reachable_folder: Path,
    hub: dict[str, str],
    draw: Callable[..., Image.Image],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A reader's desk: a folder with `scans`, an empty home, and weights that can be fetched."""
    place = reachable_folder / "desk"
    (place / "scans").mkdir(parents=True)
    for page in range(12):
        draw(page).save(place / "scans" / f"0001700104{page + 10:04}0_0.png")
    monkeypatch.chdir(place)
    monkeypatch.setenv("IMGSIM_HOME", str(place / "home"))
    monkeypatch.setenv("TORCH_HOME", str(place / "torch"))
    monkeypatch.setattr(networks, "pretrained_url", lambda name, weights: hub[name])
    assert run(["ingest", "scans"]) == 0
    yield place
    for store in (place / "home" / "stores").iterdir():
        run(["--store", str(store), "db", "stop"])
    shutil.rmtree(place)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda p: p.name)
def test_the_commands_of_a_page_work_in_order(page: Path, desk: Path) -> None:
    for line in commands(page):
        words = shlex.split(line)
        if words[0] != "imgsim":
            subprocess.run(words, check=True)
        elif "psql" in words:
            done = subprocess.run([sys.executable, "-m", "imgsim", *words[1:]], env=_environment())
            assert done.returncode == 0, line
        else:
            assert run(words[1:]) == 0, line


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(CHECKOUT)}


def test_every_command_is_told_of_somewhere() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for name in root.commands:
        assert f"imgsim {name}" in text, name


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, CHECKOUT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
