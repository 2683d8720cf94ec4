"""Types of arguments that several commands have. What is none of the type is a usage error that says what is."""

import argparse
import math

from wilor_protocol.checks import require_source

_DAY_S = 86_400.0


def seconds(text: str) -> float:
    """A time to wait: more than nothing, and a day at most."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= _DAY_S:
        raise argparse.ArgumentTypeError(f"expected a positive number of seconds, {_DAY_S:.0f} at most, got {text!r}")
    return value


def milliseconds(text: str) -> int:
    """The same as a whole number."""
    most = round(_DAY_S * 1000)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"expected milliseconds from 1 to {most}, got {text!r}")
    return int(text)


def count(text: str) -> int:
    """How many, of what there must be one at least."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)


def count_or_none(text: str) -> int:
    """How many, or 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of 0 or more, got {text!r}")
    return int(text)


def source(text: str) -> str:
    """What frames may say that they come from."""
    try:
        require_source(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
