"""The generated Verilog of a chip of tiles beside what is expected of it."""
