"""Writes a figure as PNG, SVG or PDF: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from imgsim.errors import ImgsimError, NotFoundError
from imgsim.plots.layout import style
from imgsim.version import __version__

FORMATS = (".png", ".svg", ".pdf")


def destination(output: str | None, default: str, *, force: bool = False) -> Path:
    """Returns the file for a figure: the one given, or `default`.png in the current folder.

    Raises:
        NotFoundError: its folder does not exist.
        ImgsimError: its ending names no format, it is a folder, or it exists already.
    """
    path = Path(output).expanduser() if output else Path(f"{_file_name(default)}.png")
    if path.is_dir():
        raise ImgsimError(
            f"cannot write {path}: it is a folder", f"name a file in it: {path / 'figure.png'}"
        )
    if path.suffix.lower() not in FORMATS:
        ending = f"the ending {path.suffix}" if path.suffix else "no ending"
        raise ImgsimError(f"cannot tell a format: {path} has {ending}", "use .png, .svg or .pdf")
    if not path.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent}", f"make it: mkdir -p {path.parent}")
    if os.path.lexists(path) and not force:
        raise ImgsimError(
            f"{path} already exists", "give --force to replace it, or another --output"
        )
    return path


def save(figure: Figure, path: Path, title: str = "") -> None:
    """Writes a figure in the format of its ending, under a temporary name first.

    Raises:
        ImgsimError: the folder cannot be written to.
    """
    kind = path.suffix.lower().lstrip(".")
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, suffix=f".part.{kind}")
    except OSError as exc:
        raise ImgsimError(
            f"cannot write in {path.parent}: {exc.strerror}", "give another --output"
        ) from exc
    try:
        with os.fdopen(descriptor, "wb") as file, style.settings(), warnings.catch_warnings():
            # A title may hold any script; the bundled font draws a box for what it lacks.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            figure.savefig(file, format=kind, dpi=style.DPI, metadata=_metadata(kind, title))
        # mkstemp makes files for their owner alone; a figure is as public as any other file.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _metadata(kind: str, title: str) -> dict[str, Any]:
    """Returns a file's own metadata, without a date: the same figure gives the same file."""
    program = f"imgsim {__version__}"
    if kind == "png":
        return {"Title": title, "Software": program}
    if kind == "svg":
        return {"Title": title, "Creator": program, "Date": None}
    return {"Title": title, "Creator": program, "CreationDate": None}


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("._")[:120] or "figure"


def _umask() -> int:
    current = os.umask(0)  # there is no way to read it but to set it
    os.umask(current)
    return current
