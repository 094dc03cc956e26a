"""The bench of ``mho verify core``: random trials, and the check against the numpy models."""
