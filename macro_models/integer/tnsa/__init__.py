"""The arithmetic of a transposable core in integers: operation, converter."""
