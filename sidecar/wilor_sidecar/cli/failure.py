"""How a command says that it cannot go on."""

from wilor_sidecar.cli.exits import Exit


class CommandError(Exception):
    """One line for the person, and the exit status."""

    def __init__(self, message: str, status: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.status = status
