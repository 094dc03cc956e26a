"""The sequencer of a tile: its program, loops, token instructions, traps."""
