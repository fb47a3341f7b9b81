"""`imgsim report …`: what the store has to say."""

from imgsim.cli.reports import of_likeness, of_models, of_reuse, of_store
from imgsim.cli.reports.delivery import report

__all__ = ["of_likeness", "of_models", "of_reuse", "of_store", "report"]
