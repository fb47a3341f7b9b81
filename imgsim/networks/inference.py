"""Prepares a network for fast inference: fused batch norm, channels-last, bfloat16."""

from __future__ import annotations

import copy
import importlib.util
import shutil
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

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
    """Returns a copy of the network on a device: normalised float32 pictures in, vectors out.

    Args:
        precision: in which it multiplies. Layers that need more keep float32.
    """
    module = folded(network.module).to(device)
    module = module.to(memory_format=torch.channels_last)
    if precision == torch.float32:
        return module
    if _is_plain(module):
        return _InPrecision(module.to(precision), precision)
    return _Autocast(module, device.type, precision)


def can_compile(device: torch.device) -> bool:
    """Returns whether `torch.compile` finds the compiler that it needs for a device."""
    if device.type == "cuda":
        return importlib.util.find_spec("triton") is not None
    return device.type == "cpu" and any(map(shutil.which, ("c++", "g++", "clang++")))


def compiled(forward: Forward, batch: torch.Tensor) -> Forward:
    """Returns the network compiled for batches of any shape, if that is faster with this one.

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


def folded(module: nn.Module) -> nn.Module:
    """Returns a copy with batch normalisation folded into the layers before it, where possible."""
    own = copy.deepcopy(module).eval().requires_grad_(False)
    try:
        traced = fx.symbolic_trace(own)
    except Exception:  # tracing an architecture with data-dependent branches raises anything
        return own
    _fold_normalisation(traced)
    return traced.eval().requires_grad_(False)


def _fold_normalisation(traced: fx.GraphModule) -> None:
    """Folds each batch normalisation into the one layer whose output it alone takes, in place."""
    # A layer called at two places would be folded twice, so both layers must occur once.
    uses = Counter(node.target for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        if node.op != "call_module" or max(uses[node.target], uses[before.target]) > 1:
            continue
        fused = _fused(
            traced.get_submodule(str(before.target)), traced.get_submodule(str(node.target))
        )
        if fused is not None:
            parent, _, name = str(before.target).rpartition(".")
            setattr(traced.get_submodule(parent), name, fused)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()


def _fused(layer: nn.Module, normalisation: nn.Module) -> nn.Module | None:
    """Returns a layer that does the work of both, or None where they cannot be folded."""
    # Without running statistics it normalises by the batch, which no constant layer can do.
    if not getattr(normalisation, "track_running_stats", False):
        return None
    if isinstance(layer, nn.Conv2d) and isinstance(normalisation, nn.BatchNorm2d):
        return fuse_conv_bn_eval(layer, normalisation)
    if isinstance(layer, nn.Linear) and isinstance(normalisation, nn.BatchNorm1d):
        return fuse_linear_bn_eval(layer, normalisation)
    return None


def _is_plain(module: nn.Module) -> bool:
    leaves = [leaf for leaf in module.modules() if not list(leaf.children())]
    own = isinstance(module, fx.GraphModule) and not list(module.parameters(recurse=False))
    return own and all(isinstance(leaf, PLAIN) for leaf in leaves)


def _seconds(forward: Forward, batch: torch.Tensor) -> float:
    """Returns the shortest of a few timings of one batch, in seconds."""
    # The shortest counts: the first run compiles, and other programs only ever add time.
    taken = []
    for _ in range(4):
        began = time.perf_counter()
        forward(batch)
        if batch.is_cuda:  # which returns before it has computed
            torch.cuda.synchronize(batch.device)
        taken.append(time.perf_counter() - began)
    return min(taken)
