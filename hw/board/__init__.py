"""A core, or a chip of tiles, on an FPGA: registers behind a serial line, emulators in place of the memristors."""
