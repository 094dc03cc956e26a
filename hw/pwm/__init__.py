"""A phase-change core: its reference, its hardware, and how long its operations take."""
