"""Turns batches of pixels into unit vectors, on the best device available."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from PIL import Image

from imgsim.errors import ImgsimError
from imgsim.networks import inference
from imgsim.networks.architectures import IMAGENET_DEVIATION, IMAGENET_MEAN
from imgsim.work import usable

if TYPE_CHECKING:
    import numpy.typing as npt

    from imgsim.networks.architectures import Network

MOST_STREAMS = 16
PROCESSOR_BATCH = 8
GPU_BATCH = 64
THREADS_PER_GPU = 2
"""One prepares a batch while the device computes the other's."""

OnTime = Callable[[str, float], None]
Result = TypeVar("Result")


def choose_device(name: str = "auto") -> torch.device:
    """Returns the device of that name; `auto` takes CUDA, then Apple's MPS, then the CPU.

    Raises:
        ImgsimError: this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        # A name that torch knows says nothing of this machine: only using the device does.
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as exc:
        raise ImgsimError(
            f"cannot use the device {name!r}: {str(exc).splitlines()[0]}",
            "omit --device to use the best there is, or give --device cpu",
        ) from exc
    return device


def choose_devices(name: str = "auto") -> list[torch.device]:
    """Returns the devices to embed on: every GPU for `auto` and `cuda`, else the one named.

    Raises:
        ImgsimError: this machine has no such device.
    """
    device = choose_device(name)
    if device.type == "cuda" and device.index is None:
        return [torch.device("cuda", number) for number in range(torch.cuda.device_count())]
    return [device]


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Returns float32, or bfloat16 where the device has hardware for it."""
    if name == "auto":
        fast = _has_bfloat16(device)
        return torch.bfloat16 if fast else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[name]


def _has_bfloat16(device: torch.device) -> bool:
    # Where it is emulated (cards before Ampere, most processors) it is slower than float32.
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
    """Several networks on one device, fed with the same pixels. Threads may share it.

    Args:
        compile_after: how many pictures it embeds before it tries whether compiled networks are
            faster; None for never.
    """

    def __init__(
        self,
        networks: Mapping[str, Network],
        device: torch.device,
        precision: torch.dtype = torch.float32,
        compile_after: int | None = None,
    ) -> None:
        self.device = device
        self.precision = precision
        self._forwards = {
            name: inference.made_fast(network, device, precision)
            for name, network in networks.items()
        }
        self._channels = {name: network.channels for name, network in networks.items()}
        self._until_compiled = compile_after if inference.can_compile(device) else None
        self._compiling = threading.Lock()
        self._mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1) * 255
        self._scale = 1 / (torch.tensor(IMAGENET_DEVIATION, device=device).view(1, 3, 1, 1) * 255)

    def embed(
        self,
        pixels: Sequence[npt.NDArray[np.uint8]],
        names: Sequence[str],
        on_time: OnTime = lambda name, seconds: None,
    ) -> dict[str, npt.NDArray[np.float32]]:
        """Returns unit vectors of a batch, for each of the named models.

        Args:
            pixels: uint8 pictures of one height and width, (h, w) or (h, w, 3).
            on_time: is told each model's seconds.

        Returns:
            For each name float32 (n, dimension) of length 1; a row is NaN where the network gave
            nothing that has a direction.
        """
        try:
            with torch.inference_mode():
                of = {self._channels[name] for name in names}
                batches = {channels: self._batch(pixels, channels) for channels in of}
                self._compile_when_due(batches)
                return {
                    name: self._vectors(name, batches[self._channels[name]], on_time)
                    for name in names
                }
        except torch.OutOfMemoryError:
            if len(pixels) == 1:
                raise
            # Only this batch: pictures differ in size, and the next may fit whole.
            half = len(pixels) // 2
            parts = [self.embed(part, names, on_time) for part in (pixels[:half], pixels[half:])]
            return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _vectors(self, name: str, batch: torch.Tensor, on_time: OnTime) -> npt.NDArray[np.float32]:
        began = time.perf_counter()
        vectors = _unit(self._forwards[name](batch))
        on_time(name, time.perf_counter() - began)
        return vectors

    def _compile_when_due(self, batches: Mapping[int, torch.Tensor]) -> None:
        if self._until_compiled is None:
            return
        self._until_compiled -= max(map(len, batches.values()))
        # One thread compiles; the others go on with the networks as they are meanwhile.
        if self._until_compiled <= 0 and self._compiling.acquire(blocking=False):
            self._until_compiled = None
            for name, forward in self._forwards.items():
                batch = batches.get(self._channels[name])
                if batch is not None:
                    self._forwards[name] = inference.compiled(forward, batch)

    def _batch(self, pixels: Sequence[npt.NDArray[np.uint8]], channels: int) -> torch.Tensor:
        """Returns pictures as networks of that many channels take them."""
        if channels == 1:
            grey = [
                p if p.ndim == 2 else np.asarray(Image.fromarray(p).convert("L")) for p in pixels
            ]
            ink = torch.from_numpy(np.stack(grey)).to(self.device)[:, None]
            return ink.float().div_(-255).add_(1)
        rgb = [p if p.ndim == 3 else np.broadcast_to(p[..., None], (*p.shape, 3)) for p in pixels]
        batch = torch.from_numpy(np.stack(rgb)).to(self.device).permute(0, 3, 1, 2)
        return batch.float().sub_(self._mean).mul_(self._scale)


def _unit(features: torch.Tensor) -> npt.NDArray[np.float32]:

    # In float32 again: bfloat16's three digits would leave lengths that differ from 1 by 0.4 %.
    vectors = features.float()
    lengths = vectors.norm(dim=1, keepdim=True)
    return np.asarray((vectors / lengths).cpu().numpy(), dtype=np.float32)


class Streams:
    """Threads that embed batches side by side, on all the cores or all the GPUs there are.

    On a processor each thread has a core to itself: networks that share cores over every layer
    wait for one another at its end, all the longer when a core is wanted for decoding or by
    another program. So a batch may be small, and stays in the cache.
    """

    def __init__(
        self, make: Callable[[torch.device], Embedder], devices: Sequence[torch.device]
    ) -> None:
        self._before = torch.get_num_threads()
        self.device = devices[0]
        on_processor = self.device.type == "cpu"
        cores = usable()
        self.count = min(cores, MOST_STREAMS) if on_processor else THREADS_PER_GPU * len(devices)
        self.batch_size = PROCESSOR_BATCH if on_processor else GPU_BATCH
        self._threads_of_each = max(1, cores // self.count) if on_processor else self._before
        self._embedders = itertools.cycle([make(device) for device in devices])
        self._own = threading.local()
        self._pool = ThreadPoolExecutor(self.count, "embed", self._begin)

    def submit(self, work: Callable[[Embedder], Result]) -> Future[Result]:
        """Runs work on one of the threads, with its device's embedder."""
        return self._pool.submit(lambda: work(self._own.embedder))

    def close(self) -> None:
        """Ends the threads; work that has not begun is dropped."""
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._before)

    def _begin(self) -> None:
        torch.set_num_threads(self._threads_of_each)
        self._own.embedder = next(self._embedders)
