"""Checkpoints and weights on the disk: written whole or not at all, and read again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import torch

from imgsim.errors import ImgsimError

CHECKPOINT = "checkpoint.pt"


def write_whole(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the file and renames, so that an interruption keeps the old one."""
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("wb") as file:
            torch.save(content, file)
            file.flush()
            # Or a machine that loses power may keep the new name and not the new content.
            os.fsync(file.fileno())
        beside.replace(path)
    except (OSError, RuntimeError) as exc:
        beside.unlink(missing_ok=True)
        kept = " (the one before it is kept)" if path.exists() else ""
        raise ImgsimError(
            f"cannot write {path}{kept}: {str(exc).splitlines()[0]}",
            "make room on the disk, then run the same command again to resume",
        ) from exc


def read(path: Path) -> dict[str, Any]:
    """Returns a checkpoint's content.

    Raises:
        ImgsimError: it is damaged.
    """
    try:
        return cast(dict[str, Any], torch.load(path, map_location="cpu", weights_only=True))
    except Exception as exc:
        raise ImgsimError(
            f"cannot read the checkpoint {path}: {str(exc).splitlines()[0]}",
            "start again with --fresh",
        ) from exc
