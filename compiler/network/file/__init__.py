"""The parts of a network file: what each may hold, how it is read and written."""
