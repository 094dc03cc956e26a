"""Claims of the network interface."""
