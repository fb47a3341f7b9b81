"""Where the weights of a stored model are, found without importing torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from imgsim.errors import WeightsError
from imgsim.networks import bundled
from imgsim.networks.models import Model
from imgsim.settings import UNTRAINED


def torch_hub(environ: Mapping[str, str] = os.environ) -> Path:
    """Returns what `torch.hub.get_dir()` does, without the seconds that importing torch takes."""
    cache = environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(environ.get("TORCH_HOME", os.path.join(cache, "torch"))).expanduser() / "hub"


def of(model: Model) -> str:
    """Returns where the weights of a model are, in words.

    Raises:
        WeightsError: they are not on this machine, or those of imgsim are damaged.
    """
    if model.weights == UNTRAINED:
        return "made from a seed"
    if model.weights in bundled.BUNDLED:
        bundled.checked(model.weights)
        return "come with imgsim"
    file = Path(model.weights)
    if file.is_absolute():
        if file.is_file():
            return str(file)
        raise WeightsError(
            f"{file} is gone, which {model.name} needs to take in more pictures",
            f"say where it is now: imgsim ingest --model {model.name} --weights FILE PATH…",
        )
    cache = torch_hub() / "checkpoints"
    found = sorted(cache.glob(f"{model.architecture}-*.pth")) if cache.is_dir() else []
    if not found:
        raise WeightsError(
            f"{model.described}: none in {cache}, and {model.name} needs them to take in more "
            "pictures",
            f"on a machine with a network: imgsim model fetch {model.architecture}",
        )
    return str(found[0])
