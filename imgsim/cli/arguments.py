"""Kinds of arguments and options that several commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click


class FilePath(click.Path):
    """A path; an empty one, as an unset variable leaves it, is not the current folder."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """The path, unless it is empty."""
        if str(value) == "":
            self.fail("the path is empty (perhaps a variable is not set)", parameter, context)
        return super().convert(value, parameter, context)


class Similarity(click.FloatRange):
    """A cosine; `nan` is none."""

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> Any:
        """The number, unless it is out of range or not one."""
        number = super().convert(value, parameter, context)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", parameter, context)
        return number


two_models_option = click.option(
    *("--model", "model_names"),
    nargs=2,
    callback=lambda context, parameter, names: names or (),
    metavar="NAME NAME",
    help="[default: resnet18 resnet50, or what there is]",
)
