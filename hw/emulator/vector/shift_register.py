"""Steps and rounds of :mod:`mho.macro_models.integer.shift_register` in gates."""

from amaranth.hdl import Value

from mho.macro_models.integer.shift_register import ROUND_CONSTANT, SHIFTS

__all__ = ["mix", "xorshift"]


def xorshift(x: Value) -> Value:
    """One step of a register of 32 bits."""
    for shift in SHIFTS:
        x = x ^ ((x << shift)[:32] if shift > 0 else x >> -shift)
    return x


def mix(x: Value) -> Value:
    """One round of a hash of 32 bits."""
    return (xorshift(x) + ROUND_CONSTANT)[:32]
