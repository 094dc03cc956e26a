"""A sweep as its file says it: points along axes, networks with their data, what a row measures."""
