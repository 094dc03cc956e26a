"""The array emulator: behind the pins of a core, in place of its macro, serial arithmetic on memories of an FPGA."""
