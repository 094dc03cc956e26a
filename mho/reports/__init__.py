"""The page of a run: what limits accuracy, time and energy, with figures, beside published chips."""
