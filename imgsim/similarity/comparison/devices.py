"""Products of sketches on a graphics card or another device that torch knows.

Importing this imports torch.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from imgsim.networks.embedding import choose_device
from imgsim.similarity.comparison.products import Block, Multiplied, Places

if TYPE_CHECKING:
    import numpy.typing as npt


def on_device(name: str) -> Multiplied:
    """Returns what multiplies on the device of that name.

    Raises:
        ImgsimError: this machine has no such device.
    """
    return partial(OnDevice, device=choose_device(name))


class OnDevice:
    """Multiplies by torch, in single precision: shorter formats would break the bounds."""

    def __init__(self, values: npt.NDArray[np.float32], device: torch.device) -> None:
        torch.set_float32_matmul_precision("highest")
        self._device = device
        self._values = torch.from_numpy(values).to(device)

    def tile(self, rows: slice, columns: slice, least: npt.NDArray[np.float32]) -> Places:
        products = self._values[rows] @ self._values[columns].T
        return _places(products >= torch.from_numpy(least).to(self._device))

    def block(
        self, rows: npt.NDArray[np.intp], apart: npt.NDArray[np.bool_] | None, k: int
    ) -> Block:
        chosen = torch.from_numpy(rows).to(self._device)
        products = self._values[chosen] @ self._values.T
        # Nobody is in its own list.
        products[torch.arange(len(rows), device=self._device), chosen] = -torch.inf
        if apart is not None:
            products[torch.from_numpy(apart).to(self._device)] = -torch.inf
        return _Block(products, k)


class _Block:
    def __init__(self, products: torch.Tensor, k: int) -> None:
        self._products = products
        self.kth = products.topk(k, dim=1).values[:, -1].cpu().numpy()

    def reaching(
        self, least: npt.NDArray[np.floating], below: npt.NDArray[np.floating] | None = None
    ) -> Places:
        wanted = self._products >= self._column(least)
        wanted &= self._products > -torch.inf
        if below is not None:
            wanted &= self._products < self._column(below)
        return _places(wanted)

    def _column(self, numbers: npt.NDArray[np.floating]) -> torch.Tensor:
        single = np.asarray(numbers, np.float32)
        return torch.from_numpy(single).to(self._products.device)[:, None]


def _places(wanted: torch.Tensor) -> Places:
    rows, columns = wanted.nonzero(as_tuple=True)
    return rows.cpu().numpy(), columns.cpu().numpy()
