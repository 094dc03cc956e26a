"""A tile's program as text: assembler and disassembler."""

from hw.tile.text.assembler import assemble
from hw.tile.text.disassembler import disassemble

__all__ = ["assemble", "disassemble"]
