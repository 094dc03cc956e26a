"""Rectangles of weights in the free lines of cores."""
