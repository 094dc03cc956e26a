"""Ports of the buffer, seen from whoever reads or writes."""


from mho.hw.ports import Bundle, In, Out

__all__ = ["ADDRESS_BITS", "BYTES", "ReadPort", "WritePort"]

ADDRESS_BITS = 16
"""Bits of a byte's address in the largest buffer."""

BYTES = 8
"""Bytes that are read or written at a time: a word."""


class ReadPort(Bundle):
    """Reads eight bytes at any address.

    Members
    -------
    address : Out(16)
        The first byte.
    valid : Out(1)
        Something is wanted.
    ready : In(1)
        It is read in this cycle. Looks at ``valid``.
    data : In(64)
        What was read two cycles before, the first byte lowest. Only then.
    """

    address = Out(ADDRESS_BITS)
    valid = Out(1)
    ready = In(1)
    data = In(8 * BYTES)


class WritePort(Bundle):
    """Writes up to eight bytes at any address.

    Members
    -------
    address : Out(16)
        The first byte.
    data : Out(64)
        The bytes, the first one lowest.
    bytes : Out(range(9))
        How many.
    valid, ready : Out(1), In(1)
        They are written in a cycle in which both are set. ``ready`` looks at ``valid`` of other ports alone.
    """

    address = Out(ADDRESS_BITS)
    data = Out(8 * BYTES)
    bytes = Out(range(BYTES + 1))
    valid = Out(1)
    ready = In(1)
