"""The package: its name, version and citation, and what its messages tell people to install."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from imgsim import doctor, version
from imgsim.networks import whereabouts

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# `pip install imgsim` in any form installs somebody else's package.
FOREIGN = re.compile(r"pip install (?:-\S+ )*['\"]?imgsim(?![\w-])")


def test_the_citation_is_of_the_version_of_the_package() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "type"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_the_version_is_read_from_the_distribution_that_is_built() -> None:
    assert PROJECT["name"] == version.DISTRIBUTION != version.OTHER_DISTRIBUTION


def test_nothing_advises_to_install_the_package_of_somebody_else() -> None:
    folders = (ROOT / name for name in ("imgsim", "docs", "benchmarks", "training"))
    files = [
        file for folder in folders for file in folder.rglob("*") if file.suffix in {".py", ".md"}
    ]
    assert len(files) > 100
    for file in [*files, *ROOT.glob("*.md")]:
        assert not FOREIGN.search(file.read_text("utf-8")), file


@pytest.mark.parametrize(
    ("recorded", "wanted"),
    [
        (None, "imgsim-prints[umap]"),
        ({"url": Path(__file__).parent.as_uri(), "dir_info": {}}, f"{Path(__file__).parent}[umap]"),
        ({"url": "file:///no/such/wheel.whl"}, "imgsim-prints[umap]"),
        (
            {"url": "https://example.org/i.git", "vcs_info": {"vcs": "git"}},
            "imgsim-prints[umap] @ git+https://example.org/i.git",
        ),
    ],
)
def test_reinstalling_goes_back_to_where_pip_found_the_package(
    recorded: dict[str, object] | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return json.dumps(recorded) if recorded else None

    monkeypatch.setattr(version, "distribution", lambda name: Distribution())
    command = version.reinstall_command("--upgrade", extra="umap")
    assert " -m pip install --upgrade " in command
    assert command.replace("'", "").endswith(f" {wanted}")


@pytest.mark.parametrize(
    "given", [{}, {"XDG_CACHE_HOME": "~/caches"}, {"TORCH_HOME": "/t", "XDG_CACHE_HOME": "/x"}]
)
def test_the_doctor_looks_for_weights_where_torch_does(
    given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert str(whereabouts.torch_hub()) == torch.hub.get_dir()


def test_the_doctor_requires_one_pgvector_and_recommends_a_later() -> None:
    states = {
        v: doctor.judged_pgvector(v).state for v in [(0, 7, 4), (0, 8, 0), (0, 8, 4), (0, 9, 0)]
    }
    assert list(states.values()) == [doctor.BROKEN, doctor.LACKING, doctor.FINE, doctor.FINE]
    assert "0.8.4 or later is recommended" in doctor.judged_pgvector((0, 8, 0)).detail
    assert "0.8.0 is required" in doctor.judged_pgvector((0, 7, 4)).detail
