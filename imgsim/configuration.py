"""What the reader has settled once, in a file: an option or a variable still goes before it."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from imgsim.errors import ImgsimError

VARIABLE = "IMGSIM_CONFIG"
TEXTS = ("store", "database", "scholar")
LISTS = ("models",)
TABLES = ("columns",)
SETTINGS = (*TEXTS[:2], *LISTS, TEXTS[2], *TABLES)


@dataclass(frozen=True)
class Configuration:
    """What a configuration file says; `None` and empty where it says nothing.

    `columns` has, by the name of a report, the columns to show of it. `lines` has the line of each
    setting, for messages.
    """

    file: Path
    exists: bool = False
    store: str | None = None
    database: str | None = None
    models: tuple[str, ...] = ()
    scholar: str | None = None
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    def place_of(self, setting: str) -> str:
        """Returns the file and line of a setting, such as `columns.neighbours`."""
        line = self.lines.get(setting)
        return f"{self.file}, line {line}" if line else str(self.file)


def path(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns the file: `IMGSIM_CONFIG`, or `imgsim/config.toml` where this system has such files.

    That is `$XDG_CONFIG_HOME` if it is set, otherwise `~/.config`, on a Mac
    `~/Library/Application Support`.
    """
    if given := environ.get(VARIABLE):
        return Path(given).expanduser().absolute()
    if home := environ.get("XDG_CONFIG_HOME"):
        return Path(home).expanduser().absolute() / "imgsim" / "config.toml"
    return platformdirs.user_config_path("imgsim") / "config.toml"


def read(environ: Mapping[str, str] = os.environ) -> Configuration:
    """Returns what the file says; nothing where there is none.

    Raises:
        ImgsimError: it cannot be read, is not TOML, or has a setting that is unknown or of the
            wrong kind; or the file that `IMGSIM_CONFIG` names is not there.
    """
    file = path(environ)
    try:
        text = file.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError) as exc:
        if environ.get(VARIABLE):
            raise ImgsimError(
                f"cannot read {file}: there is no such file",
                f"write it, or unset {VARIABLE}",
            ) from exc
        return Configuration(file)
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise ImgsimError(f"cannot read {file}: {reason}", "mend it, or move it away") from exc
    try:
        settings = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ImgsimError(
            f"cannot read {file}: {exc}",
            'write settings as TOML, such as: models = ["imagenet"]',
        ) from exc
    return _checked(file, settings, _lines(text))


def _checked(file: Path, settings: dict[str, Any], lines: Mapping[str, int]) -> Configuration:
    """Returns the settings, every one of which is known and of its kind."""
    read = Configuration(file, exists=True, lines=lines)
    for name, value in settings.items():
        if name not in SETTINGS:
            near = difflib.get_close_matches(name, SETTINGS, 1)
            meant = f"did you mean {near[0]}? " if near else ""
            raise ImgsimError(
                f"cannot use {read.place_of(name)}: there is no setting {name!r}",
                f"{meant}the settings are: {', '.join(SETTINGS)}",
            )
        if name in TEXTS and not (isinstance(value, str) and value.strip()):
            raise _unfit(read, name, "text", 'store = "ecco"'.replace("store", name))
        if name in LISTS and not _is_list(value):
            raise _unfit(read, name, "a list of names", 'models = ["imagenet"]')
        if name in TABLES:
            _check_columns(read, value)
    if "store" in settings and "database" in settings:
        raise ImgsimError(
            f"cannot use {read.place_of('database')}: store and database exclude each other",
            "keep one of them",
        )
    return Configuration(
        file,
        exists=True,
        store=settings.get("store"),
        database=settings.get("database"),
        models=tuple(settings.get("models", ())),
        scholar=settings.get("scholar"),
        columns={name: tuple(value) for name, value in settings.get("columns", {}).items()},
        lines=lines,
    )


def _check_columns(read: Configuration, value: object) -> None:
    example = '[columns], and below it: neighbours = ["name", "other_name"]'
    if not isinstance(value, dict):
        raise _unfit(read, "columns", "a table", example)
    for report, columns in value.items():
        if not _is_list(columns):
            raise _unfit(read, f"columns.{report}", "a list of columns", example)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, str) and v for v in value)


def _unfit(read: Configuration, name: str, kind: str, example: str) -> ImgsimError:
    return ImgsimError(
        f"cannot use {read.place_of(name)}: {name} must be {kind}", f"for example: {example}"
    )


def _lines(text: str) -> dict[str, int]:
    """Returns the line on which each setting begins; those of a table with its name before them."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if heading := re.match(r"\s*\[+\s*([^\]]+?)\s*\]", line):
            table = _bare(heading[1])
            lines.setdefault(table.partition(".")[0], number)
            lines.setdefault(table, number)
        elif setting := re.match(r"\s*([\w\-.\"' ]+?)\s*=", line):
            name = _bare(setting[1])
            lines.setdefault(f"{table}.{name}" if table else name, number)
    return lines


def _bare(name: str) -> str:
    return ".".join(part.strip(" \"'") for part in name.split("."))
