"""Holds what programs cells inactive: at power-up, and wherever programming is not enabled."""

from typing import Any

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.macro.write_pins import WritePins

__all__ = ["ProgrammingIsolation"]


class ProgrammingIsolation(wiring.Component):
    """Ands what drives the programming side of a macro with ``enable``; the way back is open.

    While ``enable`` is 0 each output is 0, also where what drives it is unknown: before a clock, before a reset.
    It is a module of gates alone, so that isolation cells of another supply can take its place.

    Parameters
    ----------
    cfg
        Configuration of write-verify.

    Members
    -------
    enable : In(1)
        1: the macro sees the engine. Changes only while the engine is idle, or to stop it at once.
    engine : In(WritePins(cfg.lines, cfg.verify_bits))
        What the engine drives.
    macro : Out(WritePins(cfg.lines, cfg.verify_bits))
        What the macro sees.
    """

    enable: Value
    engine: Any
    macro: Any

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        self.cfg = cfg
        pins = WritePins(cfg.lines, cfg.verify_bits)
        super().__init__({"enable": In(1), "engine": In(pins), "macro": Out(pins)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, member in self.macro.signature.members.items():
            outer, inner = getattr(self.macro, name), getattr(self.engine, name)
            if member.flow is In:
                m.d.comb += inner.eq(outer)
            else:
                m.d.comb += outer.eq(inner & self.enable.replicate(len(Value.cast(inner))))
        return m
