"""The login agent: the daemon as a service that the system starts at login and restarts when it crashes.

launchd on a Mac, systemd's user manager on Linux. What the daemon itself knows of its supervisor is little and lies
elsewhere: `sd_notify`, and what `serve --supervisor` does.
"""
