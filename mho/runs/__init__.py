"""Runs of a network and the writing of its cells, from options as a user gives them."""
