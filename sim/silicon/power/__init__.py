"""Power and energy of a netlist from the waves of a co-simulation."""
