"""Products of a word of cells with its inputs, and their sums along bit lines or along source lines."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.macro.emulator.config import EmulatorConfig

__all__ = ["LEVEL_BITS", "MacLanes"]

LEVEL_BITS = 5
"""Bits of the input of a line in one conversion: four of the magnitude, then the sign."""


class MacLanes(wiring.Component):
    """One product a lane and cycle.

    Forward each lane adds its own products, one for each bit line: ``sums`` are the source lines of the word. Backward
    a tree adds the products of a word, and its sums are added for each bit line: ``total``.

    A word and its ``levels`` come with ``valid``. Forward sums are complete two cycles after their last word, ``total``
    ``cfg.tree_levels`` cycles later than that, each for one cycle at least.

    Members
    -------
    valid, first : In(1)
        A word is there; it is the first of its sums.
    cells : In(cfg.word_bits)
        Codes of the cells.
    levels : In(5 * cfg.lanes)
        Input of each lane.
    sums : Out(signed).array(cfg.lanes)
        Sums of each lane.
    total : Out(signed)
        Sum of all.
    """

    valid: Value
    first: Value
    cells: Value
    levels: Value
    sums: list[Signal]
    total: Signal

    def __init__(self, cfg: EmulatorConfig) -> None:
        self.cfg = cfg
        width = signed(cfg.step_bits + 1)
        super().__init__({
            "valid": In(1), "first": In(1), "cells": In(cfg.word_bits), "levels": In(LEVEL_BITS * cfg.lanes),
            "sums": Out(width).array(cfg.lanes), "total": Out(width),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        products = []
        for lane in range(cfg.lanes):
            level = self.levels.word_select(lane, LEVEL_BITS)
            cell = self.cells.word_select(lane, cfg.g_bits)
            magnitude = Signal(cfg.g_bits + 4, name=f"magnitude_{lane}", reset_less=True)
            negative = Signal(name=f"negative_{lane}", reset_less=True)
            m.d.sync += [magnitude.eq(level[:4] * cell), negative.eq(level[4])]
            products.append((negative, magnitude ^ negative.replicate(cfg.g_bits + 4)))
        valid = Signal(cfg.tree_levels + 1)
        first = Signal(cfg.tree_levels + 1)
        m.d.sync += [valid.eq(Cat(self.valid, valid)), first.eq(Cat(self.first, first))]

        with m.If(valid[0]):
            for total, (negative, product) in zip(self.sums, products, strict=True):
                m.d.sync += total.eq(_add(Mux(first[0], 0, total), product, negative, cfg.step_bits + 1))
        terms = []
        for lane, (negative, product) in enumerate(products):
            term = Signal(signed(cfg.g_bits + 5), name=f"term_{lane}")
            m.d.comb += term.eq(Cat(product, negative).as_signed() + negative)
            terms.append(term)
        for level in range(cfg.tree_levels):
            terms = [
                self._register(m, left + right, f"tree_{level}_{k}")
                for k, (left, right) in enumerate(zip(terms[0::2], terms[1::2], strict=True))
            ]
        with m.If(valid[-1]):
            m.d.sync += self.total.eq(Mux(first[-1], 0, self.total) + terms[0])
        return m

    def _register(self, m: Module, value: Value, name: str) -> Signal:
        register = Signal(value.shape(), name=name, reset_less=True)
        m.d.sync += register.eq(value)
        return register


def _add(left: Value, product: Value, negative: Value, width: int) -> Value:
    """``left`` plus a product whose complement is given where it is negative, in one adder of ``width`` bits."""
    # The carry of the added lowest bit completes the two's complement.
    right = Cat(negative, product, negative.replicate(width - len(product)))
    return (Cat(negative, left)[: width + 1] + right)[1 : width + 1]
