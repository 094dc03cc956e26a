"""Buses of the outside to the register bus; another bus is another module here."""
