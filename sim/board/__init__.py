"""A core on a board: what a host writes and reads to run a network, and its Verilog behind that bus."""
