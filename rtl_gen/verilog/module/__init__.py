"""Verilog of one module from its netlist: what drives what, expressions, processes, clock gates, and the text."""
