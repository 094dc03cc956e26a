"""Co-simulation of the network on chip, and its bench."""
