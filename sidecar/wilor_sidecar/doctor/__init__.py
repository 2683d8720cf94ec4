"""`wilor-sidecar doctor`: what is right and what is wrong with this machine, this installation and the running daemon.

Each check gives findings; none stops the others. What is found is told in one line, with the command that mends it.
"""
