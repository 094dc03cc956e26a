"""The frame of the command: options and paths, what is printed, signals."""
