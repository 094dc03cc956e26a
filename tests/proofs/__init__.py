"""Proofs of the hardware: components under any input, with claims that a solver checks. See ``./run prove``."""
