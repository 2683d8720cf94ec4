"""Reads PROTOCOL.md: its tables by heading, and its blocks of code."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "protocol" / "PROTOCOL.md").read_text()

Row = dict[str, str]


def tables() -> dict[str, list[Row]]:
    """The rows of every table by the heading above it, each row by its columns' names; code marks are taken off."""
    found: dict[str, list[Row]] = {}
    heading, columns = "", list[str]()
    for line in TEXT.splitlines():
        if line.startswith("#"):
            heading, columns = line.lstrip("# ").replace("`", ""), []
        elif not line.startswith("|"):
            columns = []
        elif not columns:
            columns = _cells(line)
        elif not set(line) <= set("|-"):
            found.setdefault(heading, []).append(dict(zip(columns, _cells(line), strict=True)))
    return found


def table(heading: str) -> list[Row]:
    """The rows under a heading."""
    return tables()[heading.replace("`", "")]


def code_after(words: str) -> str:
    """The first block of code after these words."""
    _, found, rest = TEXT.partition(words)
    assert found, f"PROTOCOL.md does not say {words!r}"
    return rest.split("```")[1].partition("\n")[2]


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
