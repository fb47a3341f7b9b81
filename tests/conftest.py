"""One embedded server for the session, and for every test a database of its own, copied from a
migrated template.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg
import pytest
from PIL import Image

from imgsim.__main__ import run
from imgsim.database import connection as database
from imgsim.database import embedded
from imgsim.database.connection import Connection
from imgsim.settings import ExternalServer, Settings

PRINTS = Path(__file__).resolve().parents[2] / "shared" / "prints"
TEMPLATE = "imgsim_template"
SHM = Path("/dev/shm")


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that the server's user can reach too, when the tests run as root."""
    roomy = SHM.is_dir() and shutil.disk_usage(SHM).free > 4 << 30
    folder = Path(tempfile.mkdtemp(prefix="imgsim-test-", dir=SHM if roomy else "/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_are_heard() -> None:
    """Started in the background, a shell's child ignores Ctrl-C, and so would the children here."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _own_environment(reachable_folder: Path) -> Iterator[None]:
    """Nothing of the user's settings, stores or cached weights gets into a test."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith(("IMGSIM_", "PG")) or variable == "COLUMNS":
                patch.delenv(variable)
        patch.setenv("IMGSIM_HOME", str(reachable_folder / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(reachable_folder / "config"))
        patch.setenv("TORCH_HOME", str(reachable_folder / "torch"))
        yield


@pytest.fixture(scope="session")
def server(reachable_folder: Path) -> Iterator[embedded.Server]:
    """The session's server, with a migrated template database."""
    store = reachable_folder / "store of the session"
    started = embedded.ensure_running(store, idle_minutes=0)
    with psycopg.connect(started.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {TEMPLATE}")
    database.connect(_settings(started, TEMPLATE)).close()
    yield started
    embedded.stop(store)


_numbers = itertools.count(1)


@pytest.fixture
def settings(server: embedded.Server) -> Iterator[Settings]:
    """A fresh, migrated, empty database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} template {TEMPLATE}")
        yield _settings(server, name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    """A connection to the test's database."""
    with database.connect(settings) as opened:
        yield opened


def _settings(server: embedded.Server, name: str) -> Settings:
    return Settings(ExternalServer(server.conninfo(name), "the tests"))


@dataclass(frozen=True)
class Answer:
    """What a command line printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Standard error without the next steps, which `tests/cli/test_onward.py` is about."""
        return re.split(r"^next: ", self.err, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.fixture
def imgsim(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command line, in this process, on the test's database."""
    assert isinstance(settings.target, ExternalServer)
    where = ["--database", settings.target.conninfo]

    def call(*arguments: object) -> Answer:
        capsys.readouterr()
        code = run([*where, *(str(argument) for argument in arguments)])
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return call


@pytest.fixture(scope="session")
def prints() -> Path:
    """The folder of real prints; a checkout without it skips the test."""
    if not PRINTS.is_dir():
        pytest.skip("the folder of real prints is not here")
    return PRINTS


@pytest.fixture(scope="session")
def prints_hard(prints: Path) -> Path:
    """The folder of prints on which imgsim was wrong; a checkout without it skips the test."""
    folder = prints.with_name("prints_hard")
    if not folder.is_dir():
        pytest.skip("the folder of hard prints is not here")
    return folder


@pytest.fixture
def draw() -> Callable[..., Image.Image]:
    """Draw a small picture that differs with its seed."""
    return picture


def picture(seed: int = 0, size: tuple[int, int] = (120, 90), mode: str = "L") -> Image.Image:
    """Draws a small picture that differs with its seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)


@pytest.fixture(scope="session")
def _laid_desk(
    reachable_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str]]:
    """A desk with its pictures taken in, to be copied; and where its weights come from."""
    from tests import desk

    place, laid = reachable_folder / "desk", reachable_folder / "desk as laid"
    urls = desk.seeded_weights(tmp_path_factory.mktemp("hub"))
    desk.lay(place, picture)
    with pytest.MonkeyPatch.context() as patch:
        desk.settle(place, urls, patch)
        desk.take_in()
    place.rename(laid)
    return laid, urls


@pytest.fixture
def desk(
    _laid_desk: tuple[Path, dict[str, str]],
    reachable_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """A reader's desk (`tests/desk.py`), where `imgsim ingest scans` was run; the current folder.

    All that is done there is gone after the test.
    """
    from tests import desk as desks

    laid, urls = _laid_desk
    place = reachable_folder / "desk"
    # Not shutil.copytree: the store's files belong to the server's user.
    subprocess.run(["cp", "-a", laid, place], check=True)
    desks.settle(place, urls, monkeypatch)
    yield place
    for store in (place / "home" / "stores").iterdir():
        run(["--store", str(store), "db", "stop"])
    shutil.rmtree(place)


@pytest.fixture
def folder(tmp_path: Path, draw: Callable[..., Image.Image]) -> Path:
    """A folder with six pictures, one of them in a folder below."""
    scans = tmp_path / "scans"
    (scans / "below").mkdir(parents=True)
    for number in range(5):
        draw(number).save(scans / f"0000100{number:03}00{number + 1:02}0_0.png")
    draw(5).save(scans / "below" / "sixth.jpg", quality=95)
    return scans
