"""Macros that a user has: the one behind the pins of the contract, its ports and commands, and memories."""
