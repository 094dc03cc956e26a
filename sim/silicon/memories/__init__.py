"""Memories of a design on macros that a user names."""
