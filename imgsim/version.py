"""The version of this installation, and how to install it again."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

DISTRIBUTION = "imgsim-prints"
"""What pip calls this package. `imgsim` on PyPI is somebody else's, so no message may name it."""

OTHER_DISTRIBUTION = "imgsim"
"""The name of 0.1.0, and of the unrelated package on PyPI: both write into the folder `imgsim`."""

try:
    __version__ = version(DISTRIBUTION)
except PackageNotFoundError:  # a bare checkout that was never installed
    __version__ = "0+unknown"


def reinstall_command(*options: str, extra: str = "") -> str:
    """Returns the command that installs this package again from where it came from.

    That is the folder or repository pip recorded, the checkout that runs, or else the name.

    Args:
        options: of `pip install`, such as `--upgrade`.
        extra: an optional dependency to add, such as `umap`.
    """
    # The interpreter is named because the pip on the PATH is often another environment's.
    command = [sys.executable, "-m", "pip", "install", *options]
    return shlex.join([*command, _source(f"[{extra}]" if extra else "")])


def installed_beside() -> str | None:
    """Returns the version of a second distribution that owns the folder `imgsim`, if there is one.

    Uninstalling either of the two would take files from the other.
    """
    try:
        return version(OTHER_DISTRIBUTION)
    except PackageNotFoundError:
        return None


def _source(extra: str) -> str:
    try:
        recorded = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        checkout = Path(__file__).parents[1]
        return f"{checkout}{extra}" if (checkout / "pyproject.toml").exists() else _named(extra)
    return _recorded(recorded, extra) if recorded else _named(extra)


def _recorded(direct_url: str, extra: str) -> str:
    """Returns the requirement that a `direct_url.json` (PEP 610) came from."""
    about = json.loads(direct_url)
    url = str(about["url"])
    if url.startswith("file:"):
        folder = Path(url2pathname(urlsplit(url).path))
        # A wheel or a folder that is gone cannot be installed again.
        return f"{folder}{extra}" if folder.exists() else _named(extra)
    vcs = about.get("vcs_info", {}).get("vcs")
    return f"{_named(extra)} @ {vcs}+{url}" if vcs else f"{_named(extra)} @ {url}"


def _named(extra: str) -> str:
    return f"{DISTRIBUTION}{extra}"
