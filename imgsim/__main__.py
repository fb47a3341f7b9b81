"""The command `imgsim`: runs a command line and turns every failure into a message."""

from __future__ import annotations

import io
import os
import signal
import sys

import click

from imgsim.cli import imgsim
from imgsim.cli.output import complain
from imgsim.errors import ImgsimError

FAILED = 1
INTERRUPTED = 130


def main() -> None:
    """Runs the command line given to this process, and exits with its code."""
    _see_to_streams()
    # SIGTERM ends a command as Ctrl-C does: with a message, and what was done is kept.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as exc:
        complain(f"standard output: {exc.strerror}", "check that there is room for it")
        _write_nowhere()
        code = code or FAILED
    sys.exit(code)


def _see_to_streams() -> None:
    """Sends closed streams nowhere, and escapes what a terminal cannot show."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_nowhere() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(arguments: list[str]) -> int:
    """Runs one command line, and returns its exit code."""
    try:
        code = imgsim.main(arguments, prog_name="imgsim", standalone_mode=False)
    except click.exceptions.Abort:
        return _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except ImgsimError as exc:
        complain(exc.message, exc.hint)
        return FAILED
    except BrokenPipeError:
        # The reader, such as `head`, has ended: writing more, also at exit, would fail again.
        _write_nowhere()
        return FAILED
    except Exception as exc:
        return _failed(exc)
    return code if isinstance(code, int) else 0


def _interrupted() -> int:
    complain("interrupted", "nothing stored is lost; run the same command again to continue")
    return INTERRUPTED


def _failed(exc: Exception) -> int:
    from imgsim.database.connection import driver_error

    if os.environ.get("IMGSIM_DEBUG"):
        raise exc
    if error := driver_error(exc):
        complain(error.message, error.hint)
    elif isinstance(exc, OSError):
        complain(str(exc), "check that the disk has room and that you may write there")
    else:
        complain(
            f"{type(exc).__name__}: {exc}",
            "this is a fault in imgsim; set IMGSIM_DEBUG=1 to see where, and report it",
        )
    return FAILED


if __name__ == "__main__":
    main()
