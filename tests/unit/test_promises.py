"""PROMISES.md names only tests that exist."""

import ast
import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (_ROOT / "tests/PROMISES.md").read_text().splitlines()
    if re.match(r"\|\s*\d", line)
]


def named_tests() -> list[str]:
    """Every `file::test` of the table."""
    return [name for row in _ROWS for name in re.findall(r"`([^`]+::[^`]+)`", row[2])]


def defined_in(file: Path) -> set[str]:
    """The tests that a file defines."""
    return {node.name for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)}


def test_every_named_test_exists() -> None:
    """A test that was renamed or removed no longer shows what the table says."""
    missing = []
    for name in named_tests():
        file, _, test = name.partition("::")
        if not (_ROOT / file).is_file() or test not in defined_in(_ROOT / file):
            missing.append(name)
    assert missing == []
    assert len(named_tests()) >= len(_ROWS)


def test_every_row_is_whole() -> None:
    """A row has its number, promise, tests, figure, and what is left to a Mac; numbers rise."""
    assert all(len(row) == 5 and all(row[:4]) for row in _ROWS), [row for row in _ROWS if len(row) != 5]
    numbers = [int(row[0]) for row in _ROWS]
    assert numbers == sorted(set(numbers))
