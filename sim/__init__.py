"""Backends that run a program in numpy or on the generated Verilog, and benches of that Verilog.

Whatever builds or runs a simulator raises ToolError where a tool is missing or fails, and says so nowhere else.
"""
