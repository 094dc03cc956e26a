"""Simulators as programs: Verilator, the C++ compiler, and a cache of what they built."""
