"""The backends fpga, at the end of the serial line of a board: a core, and networks on tiles."""
