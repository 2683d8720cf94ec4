"""The one error of this package. It knows nothing of exit codes or of the wire; callers map it."""

_MAX_CHARACTERS = 2000


class WeightsError(Exception):
    """A weight file cannot be used: names the file and the key; trying again will not help.

    Always one printable line, although names in it come from files that may hold anything.
    """

    def __init__(self, message: str) -> None:
        shown = message[:_MAX_CHARACTERS]
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown))
