"""When the tiles of a chip do what: their programs with time and without data, event by event."""
