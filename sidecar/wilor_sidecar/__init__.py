"""The daemon: see `service` for its life and `cli` for its commands."""
