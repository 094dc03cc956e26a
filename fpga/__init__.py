"""FPGA boards: bitstreams, loading, evidence, the serial line, the backend ``fpga``."""
