"""A network as fast as a device runs it, and as true: folded, laid out, in hardware's precision."""

from __future__ import annotations

import copy
import importlib.util
import shutil
import time
from collections.abc import Callable
from typing import cast

import torch
from torch import fx, nn
from torch.fx.experimental.optimization import fuse

from imgsim.networks.architectures import Network

REPAID = 20_000
"""After how many pictures a network is compiled: as many again, and it has repaid its minute."""

GAIN = 0.95
"""The share of the time that a compiled network may take, or it is not used."""

# Of these nothing is lost in bfloat16: they pick, or sum in single precision.
PLAIN = (
    *(nn.Conv2d, nn.Linear, nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Dropout, nn.Identity, nn.Flatten),
    *(nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.ChannelShuffle),
)

Forward = Callable[[torch.Tensor], torch.Tensor]


def made_fast(network: Network, device: torch.device, precision: torch.dtype) -> Forward:
    """A copy of the network on a device: normalised float32 pictures in, float32 vectors out.

    Args:
        precision: in which it multiplies. Layers that need more keep float32.
    """
    folded = _folded(network.module).to(device)
    folded = folded.to(memory_format=torch.channels_last)
    if precision == torch.float32:
        return folded
    if _is_plain(folded):
        return _InPrecision(folded.to(precision), precision)
    return _Autocast(folded, device.type, precision)


def can_compile(device: torch.device) -> bool:
    """Whether `torch.compile` finds the compiler here that it needs for a device."""
    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    return device.type == "cpu" and any(map(shutil.which, ("c++", "g++", "clang++")))


def compiled(forward: Forward, batch: torch.Tensor) -> Forward:
    """The network compiled for batches of any shape, if that is faster with this one.

    Takes up to a minute. What fails or gains nothing is given back as it was.
    """
    try:
        faster = cast(Forward, torch.compile(forward, dynamic=True))
        gains = _seconds(faster, batch) < GAIN * _seconds(forward, batch)
    except Exception:  # compilers fail in many ways, and none of them is the pictures' fault
        return forward
    return _WithRefuge(faster, forward) if gains else forward


class _InPrecision:
    """A network whose weights are in the precision in which it multiplies."""

    def __init__(self, module: nn.Module, precision: torch.dtype) -> None:
        self._module = module
        self._precision = precision

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, self._module(batch.to(self._precision))).float()


class _Autocast:
    """A network of float32, each layer of it in the precision that it bears."""

    def __init__(self, module: nn.Module, device: str, precision: torch.dtype) -> None:
        self._module = module
        self._device = device
        self._precision = precision

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self._device, self._precision):
            return cast(torch.Tensor, self._module(batch)).float()


class _WithRefuge:
    """A compiled network, and the one it was made of, for a batch that it fails with."""

    def __init__(self, faster: Forward, refuge: Forward) -> None:
        self._faster = faster
        self._refuge = refuge

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        try:
            return self._faster(batch)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # another shape is another compilation
            self._faster = self._refuge
            return self._refuge(batch)


def _folded(module: nn.Module) -> nn.Module:
    """A copy with batch normalisation folded into the convolutions before it, where it can be."""
    try:
        folded = fuse(module)
    except Exception:  # what an architecture does that cannot be traced raises anything
        folded = copy.deepcopy(module)
    return folded.eval().requires_grad_(False)


def _is_plain(module: nn.Module) -> bool:
    leaves = [leaf for leaf in module.modules() if not list(leaf.children())]
    own = isinstance(module, fx.GraphModule) and not list(module.parameters(recurse=False))
    return own and all(isinstance(leaf, PLAIN) for leaf in leaves)


def _seconds(forward: Forward, batch: torch.Tensor) -> float:
    """The least time that a batch takes."""
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        forward(batch)
        if batch.is_cuda:
            torch.cuda.synchronize(batch.device)
        taken.append(time.perf_counter() - began)
    return min(taken)
