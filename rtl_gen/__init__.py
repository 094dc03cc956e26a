"""Generation: Verilog, registers, black boxes and the files that a tape-out flow wants."""

from rtl_gen.emit import emit_core

__all__ = ["emit_core"]
