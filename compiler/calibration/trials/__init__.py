"""Trials of one layer on chips of the device model, on samples of its calls, and what its errors do to the outputs."""
