"""The weights that come with imgsim: trained on prints, kept small, checked by their hash.

A weight of a convolution is kept as a whole number from -127 to 127, times a number of its output
channel; the rest as it was. The network is what is kept: nothing is rounded again when it is read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from imgsim.errors import WeightsError
from imgsim.version import reinstall_command

if TYPE_CHECKING:
    import torch

FOLDER = Path(__file__).with_name("weights")
SCALE = ".scale"
LEVELS = 127


BUNDLED: Mapping[str, str] = {"resnet18-print": "resnet18", "resnet50-print": "resnet50"}
"""The names of imgsim's own weights, and the architecture of each."""


def path(name: str) -> Path:
    """Returns the file of the weights of that name."""
    return FOLDER / f"{name}.pt"


def provenance(name: str) -> dict[str, Any]:
    """Returns how they were trained: recipe, pictures, results, and their file's SHA-256."""
    return cast(dict[str, Any], json.loads(path(name).with_suffix(".json").read_text("utf-8")))


def checked(name: str) -> str:
    """Returns the SHA-256 of the file, after checking it.

    Raises:
        WeightsError: the file is missing, or damaged.
    """
    advice = f"install imgsim again: {reinstall_command('--force-reinstall', '--no-deps')}"
    try:
        digest = hashlib.sha256(path(name).read_bytes()).hexdigest()
        expected = str(provenance(name)["sha256"])
    except (OSError, ValueError, KeyError) as exc:
        raise WeightsError(f"cannot read the weights that come with imgsim: {exc}", advice) from exc
    if digest != expected:
        raise WeightsError(
            f"{path(name)} is damaged: its SHA-256 begins with {digest[:8]}, not {expected[:8]}",
            advice,
        )
    return digest


def packed(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Returns a network's state in a quarter of its size, for `unpacked`."""
    import torch

    kept: dict[str, torch.Tensor] = {}
    for key, value in state.items():
        # Biases and normalisation: a thousandth of the size, and rounding them costs the most.
        if value.ndim < 2:
            kept[key] = value
            continue
        rows = value.float().flatten(1)
        # Not below half precision's least normal number: a channel of zeros would divide by zero.
        scale = (rows.abs().amax(1) / LEVELS).clamp(min=2.0**-14).half()
        # Divided by the scale as it is kept, rounded: that is what it is multiplied by again.
        whole = (rows / scale.float()[:, None]).round().clamp(-LEVELS, LEVELS)
        kept[key] = whole.to(torch.int8).view(value.shape)
        kept[key + SCALE] = scale
    return kept


def unpacked(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Returns a network's state in single precision, whether `packed` made it or not."""
    whole = {}
    for key, value in state.items():
        if key.endswith(SCALE):
            continue
        scale = state.get(key + SCALE)
        if scale is None:
            whole[key] = value.float()
        else:
            whole[key] = value.float() * scale.float().view(-1, *[1] * (value.ndim - 1))
    return whole
