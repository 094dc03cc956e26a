"""The emulated core at vector level: codes in, codes out, its cells in block RAM."""
