"""`python -m wilor_sidecar`: the same as the installed command."""

from wilor_sidecar.cli.main import run

run()
