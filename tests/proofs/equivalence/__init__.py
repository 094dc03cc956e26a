"""Proofs that what is written as Verilog is what Yosys reads from the same design: ``./run prove verilog``."""
