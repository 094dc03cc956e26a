"""A tile's program as text: assembler and disassembler."""

from hw.tile.text.assembler import assemble, assemble_named, stream_names
from hw.tile.text.disassembler import disassemble

__all__ = ["assemble", "assemble_named", "disassemble", "stream_names"]
