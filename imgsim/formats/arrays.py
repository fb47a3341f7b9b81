"""Writes vectors, one after another, as a NumPy array file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt


def write_npy(
    file: Path, vectors: Iterable[npt.NDArray[np.floating]], count: int, dimension: int
) -> None:
    """Write a `.npy` file of `count` x `dimension` single-precision values, in the order given.

    Raises:
        ValueError: there were not `count` vectors; the file is not to be used.
    """
    with file.open("wb") as opened:
        header = {"descr": "<f4", "fortran_order": False, "shape": (count, dimension)}
        np.lib.format.write_array_header_2_0(opened, header)
        written = 0
        for vector in vectors:
            opened.write(np.asarray(vector, "<f4").tobytes())
            written += 1
    if written != count:
        raise ValueError(f"{written} vectors were written into a file for {count}")
