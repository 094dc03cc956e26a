"""A tile's program as text: assembler and disassembler."""

from hw.tile.text.assembler import assemble, stream_names
from hw.tile.text.disassembler import disassemble

__all__ = ["assemble", "disassemble", "stream_names"]
