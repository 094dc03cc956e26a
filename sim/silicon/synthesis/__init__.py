"""Synthesis of generated Verilog to standard cells, module by module, and the timing of its netlist."""
