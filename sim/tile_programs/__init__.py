"""A tile in Verilator beside the interpreter: random programs, and what of the instruction set they reach."""
