"""Area, speed and energy of generated Verilog in a library of standard cells, by Yosys and, for speed, OpenSTA."""
