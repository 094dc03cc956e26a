"""Reading of the netlist that Amaranth writes, and writing of Verilog as a person would."""
