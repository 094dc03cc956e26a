"""``mho verify``: generated Verilog against its references, a module for each part of a chip."""
