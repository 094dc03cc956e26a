"""Walks over images in rings."""
