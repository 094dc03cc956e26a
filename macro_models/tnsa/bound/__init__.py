"""Products of a program on a transposable core, with what they share taken out once."""
