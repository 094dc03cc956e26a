"""Chips: a core, or a mesh of tiles, behind a bus."""
