"""What a command prints on: a terminal or a pipe that may be missing, full, gone, or know few characters."""

import os
import sys


def prepare_streams() -> None:
    """Have something to print on, on which every character can be printed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # it was closed by who started us
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        getattr(sys, name).reconfigure(errors="backslashreplace")


def give_up_stdout() -> None:
    """Let go of what cannot be printed: or Python tries once more when the process ends, and says so."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
