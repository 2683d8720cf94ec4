"""A file that we write and the user may change: it is noticed, and shown, when somebody did."""

import difflib
import hashlib
import re
import tempfile
from pathlib import Path
from typing import Literal

from wilor_sidecar.agent.errors import AgentError

Condition = Literal["missing", "as wanted", "outdated", "edited"]

_MARK = re.compile(r"^(?:# |<!-- )Written by `wilor-sidecar agent install`; sha256 (\w{64})(?: -->)?\n?", re.MULTILINE)


class WrittenFile:
    """A text file whose last line bears the digest of the lines before it.

    Attributes:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def condition(self, wanted: str) -> Condition:
        """What is to be done about the file.

        Args:
            wanted: the text that it should have, without the mark.

        Returns:
            "outdated" for a text that we wrote and that differs from the wanted one, "edited" for any that somebody
            else wrote.
        """
        found = self._read()
        if found is None:
            return "missing"
        text, mark = self._parted(found)
        if text == wanted:
            return "as wanted"
        return "outdated" if mark == _digest(text) else "edited"

    def write(self, text: str) -> None:
        """Replace the file, whole or not at all; folders are made.

        Raises:
            AgentError: it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", dir=self.path.parent, prefix=f".{self.path.name}.", delete=False
            ) as file:
                file.write(text + self._mark(_digest(text)))
            new = Path(file.name)
            new.chmod(0o644)
            new.replace(self.path)
        except OSError as error:
            raise AgentError(f"{self.path}: cannot be written: {error.strerror}") from error

    def remove(self) -> str | None:
        """Take the file away; what somebody changed by hand stays, under another name.

        Returns:
            What was done, for people; None: there was no file.

        Raises:
            AgentError: it cannot be removed.
        """
        try:
            found = self._read()
            if found is None:
                return None
            text, mark = self._parted(found)
            if mark == _digest(text):
                self.path.unlink()
                return f"removed {self.path}"
            kept = self.path.with_name(f"{self.path.name}.bak")
            self.path.replace(kept)
        except OSError as error:
            raise AgentError(f"{self.path}: cannot be removed: {error.strerror}") from error
        return f"removed {self.path}, which was changed by hand: it is kept as {kept}"

    def changes(self, wanted: str) -> str:
        """How the file differs from the wanted text, for people; empty when it does not."""
        text, _ = self._parted(self._read() or "")
        lines = difflib.unified_diff(
            wanted.splitlines(), text.splitlines(), "as it would be written", str(self.path), lineterm="", n=1
        )
        return "\n".join(lines)

    def _read(self) -> str | None:
        """The file's text; None: there is no file."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AgentError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _mark(self, digest: str) -> str:
        words = f"Written by `wilor-sidecar agent install`; sha256 {digest}"
        return f"<!-- {words} -->\n" if self.path.suffix == ".plist" else f"# {words}\n"

    @staticmethod
    def _parted(found: str) -> tuple[str, str | None]:
        """The text and the digest in its mark, if it has one."""
        mark = _MARK.search(found)
        return _MARK.sub("", found), mark[1] if mark else None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
