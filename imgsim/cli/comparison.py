"""The device on which all is compared with all: an option that two commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from imgsim.similarity.comparison.products import Multiplied

CPU = "cpu"

device_option = click.option(
    "--device", default=CPU, show_default=True, help="cpu, cuda, cuda:1 or mps."
)


def multiplied_on(device: str) -> Multiplied:
    """Returns what multiplies there.

    Raises:
        ImgsimError: this machine has no such device.
    """

    # By numpy on the processor: torch takes seconds to import, and is no faster at it.
    if device == CPU:
        from imgsim.similarity.comparison.products import OnProcessor

        return OnProcessor
    from imgsim.similarity.comparison.devices import on_device

    return on_device(device)
