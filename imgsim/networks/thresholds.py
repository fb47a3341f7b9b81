"""From which similarity on two pictures count as alike by a model: the number given, or its own.

A model's own is measured on labelled pictures, so that it finds nearly all impressions of a block;
which of the pairs above it are of one block is for `imgsim verify` to say. What shows pictures by
their likeness alone asks here, and tells the reader what it took (`Threshold.told`).
"""

from __future__ import annotations

from dataclasses import dataclass

from imgsim.database.connection import Connection
from imgsim.errors import ImgsimError
from imgsim.networks.models import Model


@dataclass(frozen=True)
class Threshold:
    """A least similarity (cosine), and whose own it is; `own` is empty where it was given."""

    value: float
    own: str = ""

    def __str__(self) -> str:
        """Returns the number, and whose it is: `0.77, resnet18-print's own`."""
        return f"{self.value:g}, {self.own}" if self.own else f"{self.value:g}"

    @property
    def told(self) -> str:
        """Returns what the reader must be told; empty where the number was given."""
        return f"at {self}" if self.own else ""


def of(model: Model, given: float | None = None) -> Threshold:
    """Returns the threshold given, or else the model's own."""
    if given is not None:
        return Threshold(given)
    if model.threshold_from:
        return Threshold(model.threshold, f"{model.name}'s own")
    return Threshold(model.threshold, f"as none is measured for {model.name}")


def keep(connection: Connection, model: Model, threshold: float, measured_on: str) -> None:
    """Makes a threshold the model's own, from now on and for everybody who uses the store.

    Raises:
        ImgsimError: it is out of range.
    """
    if not 0 < threshold <= 1:
        raise ImgsimError(
            f"cannot keep {threshold:g} as a threshold: it must be above 0, up to 1",
            "label pairs further down the lists too",
        )
    connection.execute(
        "update imgsim.model set threshold = %s, threshold_from = %s where model_id = %s",
        [threshold, measured_on, model.model_id],
    )
