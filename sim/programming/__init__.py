"""Cells of a chip: written by write-verify or measured, kept in a file, aged."""
