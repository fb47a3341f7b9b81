"""Batches of pixels to unit vectors, on whatever device there is."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from imgsim.errors import ImgsimError

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.networks import Network

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
PRECISIONS = ("auto", "float32", "bfloat16")


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        ImgsimError: there is no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise ImgsimError(
            f"the device {name!r} cannot be used: {str(exc).splitlines()[0]}",
            "leave --device out to take the best there is, or give --device cpu",
        ) from exc
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """float32, or bfloat16 where the device multiplies it in hardware."""
    if name == "auto":
        fast = _has_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(_processor_flags() & {"amx_bf16", "avx512_bf16", "bf16"})
    return False


def _processor_flags() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    named = (line.partition(":") for line in lines)
    flags = (value for key, _, value in named if key.strip() in ("flags", "Features"))
    return set(next(flags, "").split())


class Embedder:
    """Several networks on one device, fed with the same pixels."""

    def __init__(
        self,
        networks: Mapping[str, Network],
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.device = device
        self.precision = precision
        self._modules = {
            name: network.module.to(device).to(memory_format=torch.channels_last)
            for name, network in networks.items()
        }
        self._mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1) * 255
        self._deviation = torch.tensor(IMAGENET_DEVIATION, device=device).view(1, 3, 1, 1) * 255

    def embed(
        self, pixels: Sequence[npt.NDArray[np.uint8]], names: Sequence[str]
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Unit vectors of a batch, for each of the named models.

        Args:
            pixels: uint8 pictures of one height and width, (h, w) or (h, w, 3).

        Returns:
            For each name float32 (n, dimension) of length 1; a row is NaN where the network gave
            nothing that has a direction.
        """
        try:
            with torch.inference_mode(), self._cast():
                batch = self._normalised(pixels)
                return {name: _unit(self._modules[name](batch)) for name in names}
        except torch.OutOfMemoryError:
            if len(pixels) == 1:
                raise
            half = len(pixels) // 2
            parts = [self.embed(pixels[:half], names), self.embed(pixels[half:], names)]
            return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _cast(self) -> contextlib.AbstractContextManager[None]:
        if self.precision == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.precision)

    def _normalised(self, pixels: Sequence[npt.NDArray[np.uint8]]) -> torch.Tensor:
        rgb = [p if p.ndim == 3 else np.broadcast_to(p[..., None], (*p.shape, 3)) for p in pixels]
        batch = torch.from_numpy(np.stack(rgb)).to(self.device).permute(0, 3, 1, 2)
        return (batch.float() - self._mean) / self._deviation


def _unit(features: torch.Tensor) -> npt.NDArray[np.float32]:
    vectors = features.float()
    lengths = vectors.norm(dim=1, keepdim=True)
    return np.asarray((vectors / lengths).cpu().numpy(), dtype=np.float32)
