"""Cores whose inputs are pulse widths, and whose column currents are counted by current-controlled oscillators."""
