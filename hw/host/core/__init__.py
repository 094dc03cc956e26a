"""One core behind the register bus: its map, its buffers and operations, masks, trim, write-verify, manual mode."""
