"""`python -m wilor_sidecar`: the same as the installed command."""

from wilor_sidecar.entry import run

run()
