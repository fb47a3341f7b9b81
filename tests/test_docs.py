"""What the README and docs/ say to type works when it is typed in order."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from imgsim.__main__ import run
from imgsim.cli import imgsim as root
from tests.desk import CHECKOUT

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
OF_ITS_OWN = "tour.md"  # typed by tests/test_tour.py, which also looks at the screens
NOT_OURS = ("python3 -m venv", "rm -r", ".venv/bin/pip", "docker")


def blocks(page: Path, *languages: str) -> list[tuple[str, str]]:
    """The language and text of a page's code blocks, in order."""
    found = re.findall(r"^```(\w+)\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [(language, text) for language, text in found if language in languages]


def with_blocks(*languages: str) -> list[Any]:
    """The pages that have such blocks, as parameters of a test."""
    pages = (page for page in PAGES if page.name != OF_ITS_OWN)
    return [pytest.param(page, id=page.name) for page in pages if blocks(page, *languages)]


def commands(block: str) -> list[str]:
    """What a reader would type: the lines that begin with $."""
    lines = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    return [line.removeprefix(".venv/bin/") for line in lines if not line.startswith(NOT_OURS)]


def type_in(block: str) -> None:
    for line in commands(block):
        words = shlex.split(line)
        if words[0] != "imgsim":
            subprocess.run(words, check=True)
        elif "psql" in words:
            done = subprocess.run([sys.executable, "-m", *words])
            assert done.returncode == 0, line
        else:
            assert run(words[1:]) == 0, line


def ask(statement: str) -> None:
    """Type SQL into psql."""
    command = [sys.executable, "-m", "imgsim", "psql", "-v", "ON_ERROR_STOP=1", "-c", statement]
    assert subprocess.run(command).returncode == 0, statement


@pytest.mark.parametrize("page", with_blocks("console", "sql", "python"))
def test_what_a_page_says_to_type_works_in_order(page: Path, desk: Path) -> None:
    shell: dict[str, Any] = {"__name__": "__main__"}

    def execute(text: str) -> None:
        exec(compile(text, f"a block of {page.name}", "exec"), shell)

    typed: dict[str, Callable[[str], None]] = {"console": type_in, "sql": ask, "python": execute}
    for language, text in blocks(page, *typed):
        typed[language](text)


def _has_rpostgres() -> bool:
    if not shutil.which("Rscript"):
        return False
    done = subprocess.run(["Rscript", "-e", "library(RPostgres)"], capture_output=True)
    return done.returncode == 0


@pytest.mark.skipif(not _has_rpostgres(), reason="R with the package RPostgres is not here")
@pytest.mark.parametrize("page", with_blocks("r"))
def test_the_r_of_a_page_works_after_its_commands(page: Path, desk: Path) -> None:
    for _, text in blocks(page, "console"):
        type_in(text)
    script = "\n".join(text for _, text in blocks(page, "r"))
    done = subprocess.run(["Rscript", "-e", script])
    assert done.returncode == 0


def test_every_command_is_told_of_somewhere() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    for name, command in root.commands.items():
        assert f"imgsim {name}" in text, name
        if name in ("metadata", "table", "report", "export", "plot"):
            assert isinstance(command, click.Group)
            for below in command.commands:
                assert re.search(rf"imgsim {name} {below}\b", text), f"{name} {below}"


def test_every_page_is_named_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text("utf-8")
    for page in (CHECKOUT / "docs").iterdir():
        assert f"(docs/{page.name})" in readme, page.name


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*PAGES, CHECKOUT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
