"""What both sides of the wire share: messages, limits, addresses. Imports nothing else of ours."""
