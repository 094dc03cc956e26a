"""A tile's program as text: assembler and disassembler."""

from mho.hw.tile.asm.assembler import assemble, assemble_named
from mho.hw.tile.asm.disassembler import disassemble

__all__ = ["assemble", "assemble_named", "disassemble"]
