"""What a wrong setting raises."""


class ConfigError(Exception):
    """A setting is unknown or cannot have its value; the text names it, where it stands, and what would do."""


class NotThereYetError(ConfigError):
    """What a setting names is missing and may yet come, as a disk that is not mounted."""
