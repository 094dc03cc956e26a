"""The instruction set of a tile, as data: instructions, descriptors, causes of a trap, durations.

This is the one definition: numbers in :mod:`~mho.hw.tile.isa.codes`, one table of instructions with encoder and decoder
in :mod:`~mho.hw.tile.isa.instructions`, :mod:`~mho.hw.tile.isa.descriptors`. The assembler and disassembler
(:mod:`mho.hw.tile.asm`), the interpreter and the token machine (:mod:`mho.hw.tile.interpreter`), the C header,
``docs/reference/isa.md`` and the hardware (:mod:`mho.hw.tile.rtl`) are made from it. What is legal beyond the range of
a field is in :mod:`mho.hw.tile.isa.rules`.

An instruction is a word of 32 bits, its opcode in bits 31 to 27, its fields from bit 0 on. What it works on is in
descriptors, which have a memory of their own of :data:`DESCRIPTOR_WORDS` words. No field straddles a word, and every
bit that belongs to none is 0.
"""

from mho.hw.tile.isa.codes import (
    ACCUMULATORS,
    FIRST_ILLEGAL,
    LOOP_DEPTH,
    OPCODE_LOW,
    PRODUCTS,
    STREAMS,
    TABLE_ENTRIES,
    TABLES,
    Cause,
    Command,
    Engine,
    Format,
    Kind,
    Op,
    Operand,
)
from mho.hw.tile.isa.descriptors import DESCRIPTOR_WORDS, DESCRIPTORS, PARAMETER, STATUS
from mho.hw.tile.isa.instructions import INSTRUCTIONS, Instruction, decode, encode

__all__ = [
    "ACCUMULATORS", "DESCRIPTORS", "DESCRIPTOR_WORDS", "FIRST_ILLEGAL", "INSTRUCTIONS", "LOOP_DEPTH", "OPCODE_LOW",
    "PARAMETER", "PRODUCTS", "STATUS", "STREAMS", "TABLES", "TABLE_ENTRIES", "Cause", "Command",
    "Engine", "Format", "Instruction", "Kind", "Op", "Operand", "decode", "encode",
]
