"""The buffer of a tile: memory in two banks, and who may read and write it."""

from mho.hw.tile.rtl.buffer.buffer import Buffer
from mho.hw.tile.rtl.buffer.ports import ADDRESS_BITS, BYTES, ReadPort, WritePort

__all__ = ["ADDRESS_BITS", "BYTES", "Buffer", "ReadPort", "WritePort"]
