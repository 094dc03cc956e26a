"""Runs, chips, devices and sweeps from files or results to what is written of them: one way for command and Python."""
