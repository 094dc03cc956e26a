"""Which points are run: all, some, or those that lead towards the best trade-offs."""
