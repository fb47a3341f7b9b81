"""imgsim: which pictures were re-used, where, when, by whom?

import imgsim
store = imgsim.connect()
store.similar("000170010400180_0")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgsim.version import __version__

if TYPE_CHECKING:
    from imgsim.api import Store, connect

__all__ = ["Store", "__version__", "connect"]


def __getattr__(name: str) -> Any:
    # The command line imports this package too, and has no use for the API and what it loads.
    if name in ("Store", "connect"):
        from imgsim import api

        return getattr(api, name)
    raise AttributeError(f"module 'imgsim' has no attribute {name!r}")
