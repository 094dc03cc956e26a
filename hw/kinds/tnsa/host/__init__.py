"""Registers that only a transposable core has: trim, manual mode."""
