"""The daemon's counters, as PROTOCOL.md says that they balance."""

from wilor_protocol.replies import StatusReply


def in_hand(status: StatusReply) -> int:
    """How many requests were neither answered nor refused when this status was."""
    this_status = 1
    return counted(status, "requests_") - counted(status, "answered_") - counted(status, "refused_") - this_status


def counted(status: StatusReply, group: str) -> int:
    """The sum of a group of counters."""
    return sum(count for name, count in status.counters.items() if name.startswith(group))
