"""The analog macro on the side of the Verilog: its adapter, black box, model, and the check of its pins."""
