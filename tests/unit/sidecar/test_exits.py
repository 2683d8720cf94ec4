"""The exit-status table, in code and in the README."""

import re
from pathlib import Path

from wilor_sidecar.cli.exits import PERMANENT, RESTART, Exit

README = Path(__file__).parents[3] / "README.md"


def test_readme_and_code_agree() -> None:
    """Each status of `serve` stands in the README's table, with the right advice for a supervisor, and no other."""
    rows = re.findall(r"^\| (\d+) \| .* \| (yes|no) \|$", README.read_text(), re.MULTILINE)
    told = {int(status): advice for status, advice in rows}
    expected = {Exit.OK: "no"} | dict.fromkeys(PERMANENT, "no") | dict.fromkeys(RESTART, "yes")
    assert told == expected


def test_every_failure_is_permanent_or_not() -> None:
    """A supervisor is told what to do after each status but 0 and the plain failure of a command that ends anyway."""
    assert set(Exit) - {Exit.OK, Exit.FAILED} == PERMANENT | RESTART
    assert not PERMANENT & RESTART
