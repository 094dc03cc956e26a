"""The buffer of a tile: memory in two banks, and who may read and write it."""

from mho.hw.tile.rtl.buffer.buffer import ADDRESS_BITS, BYTES, Buffer, ReadPort, WritePort

__all__ = ["ADDRESS_BITS", "BYTES", "Buffer", "ReadPort", "WritePort"]
