"""Pins of a transposable (TNSA) macro, as the digital core sees them.

Every operation is a strobe of one cycle at the start of the operation; the sequencer then waits for the duration in
the chip description. Strobes come from flip-flops, so that an analog cell sees no glitches.
"""

from mho.hw.ports import Bundle, In, Out


class TnsaPins(Bundle):
    """Signature of the macro, seen from the digital side (``Out`` drives the macro).

    Parameters
    ----------
    lines
        Bit lines, source lines and word lines of the array: 16, 64 or 256.
    """

    backward = Out(1)
    """0: bit lines are driven and source lines converted; 1: the other way round."""
    bl_pos = Out(lambda self: self.lines)
    bl_neg = Out(lambda self: self.lines)
    sl_pos = Out(lambda self: self.lines)
    sl_neg = Out(lambda self: self.lines)
    """Line registers: V_ref + V_read, V_ref - V_read, or V_ref where both are 0. Never both 1."""
    wl_en = Out(lambda self: self.lines)
    """Word lines that are pulsed while sampling. Word line i gates the cells of bit line i."""
    precharge = Out(1)
    """Strobe: precharge the converted lines and the sampling capacitors, discharge the integrators."""
    sample = Out(1)
    """Strobe: word-line pulse, settle, sample the lines, move the charge to the integrators. Issued 2**plane times."""
    plane = Out(3)
    """Binary weight of the plane that is on the line registers."""
    compare = Out(1)
    """Strobe: compare the integrators; ``cmp`` is valid from the next cycle on, until the next compare."""
    latch = Out(1)
    """With ``compare``: keep the result as the direction of the decrements that follow."""
    decrement = Out(1)
    """Strobe: take ``step_code << dec_scale`` from the magnitude of the charge, direction from the latch."""
    dec_scale = Out(3)
    """Binary weight of this decrement (0 while counting)."""
    step_code = Out(16)
    """Charge of one decrement in V_read / 2**14."""
    op_id = Out(64)
    """Number of this conversion: {image, static operation}. Left open in silicon."""
    cmp = In(lambda self: self.lines)
    """1 where the charge of a line is negative. It has to stand in the last cycle of the compare."""
    hold = In(1)
    """Freezes the sequencer's timer. For slow bodies; 0 in silicon. It has to be 1 in the last cycle of an operation
    that it lengthens. Both may be in another clock: ``core.synchronise`` of the description."""

    def __init__(self, lines: int) -> None:
        self.lines = lines
        super().__init__()
