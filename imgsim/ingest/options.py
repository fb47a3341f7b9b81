"""What an ingest can be asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from imgsim.images import decoding
from imgsim.networks import models, named


@dataclass(frozen=True)
class Options:
    """How to ingest; the defaults are those of a new store."""

    wanted: tuple[models.Wanted, ...] = tuple(models.Wanted(name) for name in named.DEFAULTS)
    device: str = "auto"
    precision: str = "auto"
    batch_size: int | None = None
    workers: int = field(default_factory=lambda: min(8, os.cpu_count() or 1))
    pattern: str | None = None
    max_megapixels: float = decoding.MAX_MEGAPIXELS
    limit: int | None = None
    only_regions: bool = False
