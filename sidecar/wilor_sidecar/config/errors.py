"""What a wrong setting raises."""


class ConfigError(Exception):
    """A setting is unknown or cannot have its value; the text names it, where it stands, and what would do."""
