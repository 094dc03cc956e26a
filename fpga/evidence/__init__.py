"""Evidence that a board would work, without it: its netlist, simulated, against the numpy models."""
