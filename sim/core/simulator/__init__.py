"""Inside the process of a simulator: what serves jobs there, and how batches are run in Verilator and Icarus."""
