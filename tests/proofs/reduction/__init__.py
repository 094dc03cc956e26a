"""Claims of the reduction."""
