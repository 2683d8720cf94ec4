"""What a check found."""

from typing import Literal, get_args

import msgspec

Level = Literal["ok", "not tried", "warning", "problem"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Finding(msgspec.Struct, frozen=True):
    """One line of the doctor's.

    Attributes:
        check: what was looked at.
        level: ok; not tried: nothing was looked at, which is no fault; warning: it works, and could be better;
            problem: it does not.
        text: what was found.
        mend: the command, or what else would help; "" when nothing needs to.
    """

    check: str
    level: Level
    text: str
    mend: str = ""

    def line(self) -> str:
        """For people."""
        mend = f"\n{'':10}{'':20}-> {self.mend}" if self.mend else ""
        return f"{self.level:<10}{self.check:<20}{self.text}{mend}"


def ok(check: str, text: str) -> Finding:
    """It is as it should be."""
    return Finding(check, "ok", text)


def not_tried(check: str, text: str) -> Finding:
    """Nothing was looked at; says why."""
    return Finding(check, "not tried", text)


def warning(check: str, text: str, mend: str = "") -> Finding:
    """It works, and could be better."""
    return Finding(check, "warning", text, mend)


def problem(check: str, text: str, mend: str = "") -> Finding:
    """It does not work."""
    return Finding(check, "problem", text, mend)
