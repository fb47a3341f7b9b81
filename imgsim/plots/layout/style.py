"""The style of figures: journal widths, type, and colours that colour-blind readers can tell."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imgsim.networks.models import Model
from imgsim.settings import UNTRAINED

Arguments = ParamSpec("Arguments")
Returned = TypeVar("Returned")

WIDTHS = {"single": 84.0, "double": 174.0}
"""A journal's single and double column, in millimetres."""

MM_PER_INCH = 25.4
DPI = 300
SCREEN_DPI = 150
SMALL = 7.0
LARGE = 8.0
LINE_MM = 3.0

# Okabe and Ito, "Color Universal Design" (2008).
BLACK = "#000000"
ORANGE = "#E69F00"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
RED = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#999999"
PALE = "#D9D9D9"
DIM = "#555555"

SERIES = ((BLUE, "o", "-"), (ORANGE, "s", "--"), (GREEN, "^", "-."), (PURPLE, "D", ":"))
"""Colour, marker and line of the first, second, … model: told apart in black and white too."""

CATEGORIES = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)

SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": SMALL,
    "axes.titlesize": SMALL,
    "axes.labelsize": SMALL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "image.composite_image": False,  # or pictures in SVG and PDF melt into one bitmap
    "text.hinting": "no_hinting",  # as wide at every resolution
    "text.parse_math": False,  # a title may hold a dollar sign
    "pdf.fonttype": 42,  # TrueType: journals refuse the default, Type 3
    "svg.fonttype": "none",  # text that can be searched and edited, not outlines
    "svg.hashsalt": "imgsim",  # ids are random otherwise, and the file another each time
}


class Drawing(Figure):
    """A figure without a window, which shows itself in a notebook."""

    def _repr_png_(self) -> bytes:
        with settings():
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=SCREEN_DPI)
        return buffer.getvalue()


# What belongs to the user's session, and not to how a figure looks.
OF_THE_SESSION = ("backend", "interactive", "toolbar", "webagg.", "keymap.", "tk.", "macosx.")


def settings() -> AbstractContextManager[None]:
    """Returns a context in which matplotlib uses these settings and none of the user's."""
    default: dict[Any, Any] = {
        name: value
        for name, value in mpl.rcParamsDefault.items()
        if not name.startswith(OF_THE_SESSION)
    }
    return mpl.rc_context({**default, **SETTINGS})


def styled(function: Callable[Arguments, Returned]) -> Callable[Arguments, Returned]:
    """Returns the function, made to draw with these settings whatever the user's are."""

    @functools.wraps(function)
    def inside(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Returned:
        with settings():
            return function(*args, **kwargs)

    return inside


def drawing(width: float, height: float) -> Drawing:
    """Returns an empty figure; width and height in millimetres."""
    # Not by pyplot, which keeps every figure and wants a backend of the user's.
    figure = Drawing(figsize=(width / MM_PER_INCH, height / MM_PER_INCH), dpi=SCREEN_DPI)
    FigureCanvasAgg(figure)
    return figure


def label(model: Model) -> str:
    """Returns the model and its weights, for a title."""
    return f"{model.name} (UNTRAINED)" if is_untrained(model) else model.described


def is_untrained(model: Model) -> bool:
    """Returns whether a model is untrained, so that its similarities are meaningless."""
    return model.weights == UNTRAINED


def caveat(models: Sequence[Model]) -> str:
    """Returns a warning of models with random weights; empty if there are none."""
    names = [model.name for model in models if is_untrained(model)]
    return f"UNTRAINED: the scores of {' and '.join(names)} are meaningless" if names else ""
