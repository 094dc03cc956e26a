"""The clock edge of a model of Verilator in parts that are run only where something that they read has changed."""
