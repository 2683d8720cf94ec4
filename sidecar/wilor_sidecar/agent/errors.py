"""What goes wrong with the agent."""


class AgentError(Exception):
    """The system's supervisor cannot do what was asked; the text says what it said, and what would help."""


class RefusedError(AgentError):
    """It takes the definition from nobody in this kind of session, and may in another."""
