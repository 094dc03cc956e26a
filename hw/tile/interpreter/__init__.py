"""What programs do: the interpreter of one tile and of several, and the token machine."""
