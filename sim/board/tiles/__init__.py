"""A chip of tiles on a board: what a host loads, sends and takes to run a network, and its Verilog behind that bus."""
