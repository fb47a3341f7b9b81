"""The demo is the whole of it in one command, and does nothing twice."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from imgsim.demo import corpus


def run(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "imgsim", *arguments],
        env={**os.environ, "IMGSIM_HOME": str(home), "IMGSIM_IDLE_MINUTES": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_corpus_is_what_it_says() -> None:
    prints = corpus.corpus()
    assert len({item.name for item in prints}) == len(prints)
    later = {item.design for item in prints if item.impression}
    assert len({item.design for item in prints}) == 72 >= 60
    assert len(later) == 24
    years = {book[0]: book[2] for book in corpus.BOOKS}
    for design in later:
        dates = [years[item.name[:10]] for item in prints if item.design == design]
        assert dates == sorted(dates)
        assert len(set(dates)) == len(dates) >= 2


@pytest.mark.slow
def test_the_demo_finds_what_was_printed_again_without_a_network(reachable_folder: Path) -> None:
    home = reachable_folder / "home of the demo"
    try:
        done = run(home, "demo")
        assert done.returncode == 0, done.stderr
        assert "UNTRAINED" not in done.stderr
        assert f"Nearest to {corpus.example()}, by resnet18-print:" in done.stdout
        found = re.findall(r"(\S+): for (\d+) of (\d+) later impressions", done.stdout)
        assert [name for name, _, _ in found] == ["resnet18-print", "resnet50-print"]
        for _, right, of in found:
            assert int(right) >= 0.9 * int(of) > 20
        assert "24 groups of re-use" in done.stdout
        asked = run(home, "--store", "demo", "report", "overlap", "-k", "10")
        assert "resnet18-print and resnet50-print" in asked.stderr
    finally:
        run(home, "--store", "demo", "db", "stop")


@pytest.mark.slow
def test_the_demo_runs_from_nothing_twice_and_says_that_it_is_untrained(
    reachable_folder: Path,
) -> None:
    home = reachable_folder / "home of the untrained demo"
    try:
        first = run(home, "demo", "--weights", "untrained")
        assert first.returncode == 0, first.stderr
        assert "106 new" in first.stderr
        assert "THE NETWORKS ARE UNTRAINED" in first.stderr
        assert f"Nearest to {corpus.example()}, by resnet18 (untrained)" in first.stdout
        assert f"next: imgsim --store demo similar {corpus.example()}" in first.stderr
        assert (home / "stores" / "demo-corpus" / "metadata.csv").exists()
        second = run(home, "demo")
        assert second.returncode == 0, second.stderr
        assert "106 unchanged" in second.stderr
        assert second.stdout == first.stdout
        asked = run(home, "--store", "demo", "similar", corpus.example(), "--format", "csv")
        assert asked.returncode == 0
        assert len(asked.stdout.splitlines()) == 11
    finally:
        run(home, "--store", "demo", "db", "stop")
