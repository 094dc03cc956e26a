"""Co-simulation of one core: the process with the simulator, what goes in and out, and its bench."""
