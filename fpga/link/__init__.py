"""The host's end of the serial line to a board."""
