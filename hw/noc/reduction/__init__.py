"""Sums on their way to a root: routers of the reduction, and the trees that they are set up for."""
