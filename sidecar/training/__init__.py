"""How the embedded model is made: a hand, pictures of it, a network that learns them. Not part of the wheel.

README.md says how to run it, LOG.md what was run and what came out.
"""
