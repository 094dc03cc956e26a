"""Cells while and after they are programmed: drawn at once, or pulse by pulse."""
