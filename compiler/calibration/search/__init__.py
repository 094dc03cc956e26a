"""The search of one layer: candidates, how they are judged by their rounding, and the best of them."""
