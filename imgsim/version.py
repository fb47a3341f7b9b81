"""The version of this installation."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("imgsim")
except PackageNotFoundError:  # a bare checkout that was never installed
    __version__ = "0+unknown"
