"""The commands. The only place that prints, configures logging, and ends the process."""
