"""Commands that embed nothing start without torch, which alone takes seconds to import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from imgsim.cli import imgsim as root
from imgsim.database import embedded
from imgsim.database.connection import Connection
from imgsim.demo import plates
from imgsim.settings import ExternalServer, Settings
from tests import tiny

ABOUT_NETWORKS = {"demo", "ingest", "model add", "model fetch", "model train"}
ASKS_A_NETWORK = {"verify", "plot overlay"}
TELLS_TORCHS_VERSION = {"doctor"}
OWN_SERVER = {"db start", "db stop", "db status", "db url", "db dump", "db restore", "psql"}

PICTURES = ["one.png", "other.png"]

ARGUMENTS = {
    "remove": ["--missing", "--yes", "--with-verdicts"],
    "relocate": ["/scans", "."],
    "similar": ["image 1"],
    "neighbours": ["-k", "6"],
    "pairs": ["--threshold", "0.9"],
    "verdict": ["image 1", "image 2", "same block"],
    "report recall": ["--sample", "3"],
    "plot grid": ["image 1", "-o", "grid.png"],
    "plot ladder": ["-o", "ladder.png"],
    "plot map": ["image 1", "-o", "map.png"],
    "plot around": ["image 1", "-o", "around.png"],
    "plot overlap": ["-o", "overlap.png"],
    "plot threshold": ["-o", "threshold.png"],
    "plot timeline": ["image 1", "-o", "timeline.png"],
    "group": ["--least", "0.5"],
    "plot overlay": [*PICTURES, "-o", "overlay.png"],
    "plot group": ["1", "-o", "group.png"],
    "plot reuse": ["-o", "reuse.png"],
    "export neighbours": ["-o", "neighbours.csv"],
    "export pairs": ["-o", "pairs.csv"],
    "export groups-of-books": ["-o", "groups"],
    "export groups": ["-o", "groups.csv"],
    "export group-members": ["-o", "group-members.csv"],
    "export group-books": ["-o", "group-books.csv"],
    "export verdicts": ["-o", "verdicts.csv"],
    "export images": ["-o", "images.csv"],
    "export documents": ["-o", "documents.csv"],
    "export embeddings": ["-o", "embeddings.parquet"],
    "metadata load": ["metadata.csv"],
    "metadata link": ["links.csv", "--file-column", "file", "--ecco-id-column", "ecco_id"],
    "cut": ["."],
    "region load": ["regions.csv", "--accept"],
    "region accept": ["."],
    "region reject": ["."],
    "table load": ["links.csv", "--name", "links", "--key", "file"],
    "model remove": ["resnet18", "--yes"],
}

PROGRAM = """
import json, sys
from imgsim.__main__ import run

seen = {}
for name, arguments in json.load(sys.stdin).items():
    code = run(arguments)
    seen[name] = [code, "torch" in sys.modules]
json.dump(seen, open("seen.json", "w"))
"""


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The full names of all commands."""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from leaves(child, (*path, name))
    else:
        yield " ".join(path)


@pytest.mark.slow
def test_no_command_that_does_not_embed_imports_torch(
    connection: Connection, settings: Settings, tmp_path: Path
) -> None:
    assert isinstance(settings.target, ExternalServer)
    tiny.fill(connection)
    connection.execute(
        """
        insert into imgsim.ecco_document (ecco_id, publication_year)
        values ('0000000001', 1752), ('0000000002', 1760)
        """
    )
    for seed, name in enumerate(PICTURES):
        plates.draw(seed, (80, 100)).save(tmp_path / name)
    (tmp_path / "metadata.csv").write_text("ecco_id,publication_year\n0000000001,1752\n")
    (tmp_path / "regions.csv").write_text(f"page,x,y,width,height\n{PICTURES[0]},5,5,40,40\n")
    (tmp_path / "links.csv").write_text("file,ecco_id\n1,0000000001\n")
    names = [
        name
        for name in leaves(root)
        if name not in ABOUT_NETWORKS | ASKS_A_NETWORK | TELLS_TORCHS_VERSION | OWN_SERVER
    ]
    # What reads regions comes first, and what removes comes last.
    names.sort(key=lambda name: (name in ("model remove", "remove"), name != "region load"))
    where = ["--database", settings.target.conninfo]
    calls = {name: [*where, *name.split(), *ARGUMENTS.get(name, [])] for name in names}
    calls |= {f"{name} --help": [*name.split(), "--help"] for name in ["", *leaves(root)]}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(calls),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen.keys() == calls.keys()
    assert [name for name, (code, _) in seen.items() if code] == [], done.stderr
    assert [name for name, (_, torch) in seen.items() if torch] == []


@pytest.mark.parametrize("name", sorted(OWN_SERVER - {"db stop", "db dump", "db restore", "psql"}))
def test_the_server_is_started_and_told_of_without_torch(
    name: str, server: embedded.Server, reachable_folder: Path, tmp_path: Path
) -> None:
    assert server
    store = reachable_folder / "store of the session"
    calls = {name: ["--store", str(store), *name.split()]}
    subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(calls),
        cwd=tmp_path,
        text=True,
        check=True,
    )
    assert json.loads((tmp_path / "seen.json").read_text()) == {name: [0, False]}
