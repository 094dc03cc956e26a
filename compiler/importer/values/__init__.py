"""What operators make of values: layers, choices of elements, sums, limits and functions."""
