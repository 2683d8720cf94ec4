"""The one error of this package."""


class SetupError(Exception):
    """The model could not be set up: what went wrong, and what to do about it. Nothing half-made is left."""
