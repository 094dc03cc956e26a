"""Networks on the tiles of a chip, in the generated Verilog of all of it."""
