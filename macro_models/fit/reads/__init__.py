"""Readings of a cell in a row: what is noise of the read, and what is left of them for the law."""
