"""The one error of this package. It knows nothing of exit codes or of the wire; callers map it."""


class WeightsError(Exception):
    """A weight file cannot be used. One line that names the file and the key; trying again will not help."""
