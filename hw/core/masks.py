"""Memory of a core's masks, and the lines that they switch on for one operation."""

import numpy as np
from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2
from numpy.typing import NDArray

from hw.core.config import MASK_WORD, MASKS, CoreConfig
from macro_models.exact.masks import Masks

__all__ = ["BL_SKIP", "LINE_MASK", "SL_SKIP", "WL_MASK", "MaskFile", "MaskLayout", "MaskStore"]

WL_MASK, LINE_MASK, BL_SKIP, SL_SKIP = 0, 8, 16, 17
"""Numbers of the first word-line mask, the first mask of converted lines, and the two skip maps."""


class MaskLayout(data.StructLayout):
    """A word of a mask and its address, ``mask * cfg.mask_words + word``."""

    def __init__(self, cfg: CoreConfig) -> None:
        super().__init__({"addr": (MASKS * cfg.mask_words - 1).bit_length(), "data": MASK_WORD})


class MaskFile:
    """Reference of :class:`MaskStore`: the masks after a number of writes. ``masks`` has shape (18, lines)."""

    def __init__(self, cfg: CoreConfig) -> None:
        self.cfg = cfg
        self.masks = np.zeros((MASKS, cfg.lines), dtype=np.bool_)
        self.masks[:BL_SKIP] = True

    def write(self, addr: int, word: int) -> None:
        """Write one word. Addresses behind the last mask are ignored."""
        mask, k = divmod(addr, self.cfg.mask_words)
        if mask < MASKS:
            width = min(MASK_WORD, self.cfg.lines)
            self.masks[mask, k * width : (k + 1) * width] = [word >> bit & 1 for bit in range(width)]

    def words(self, mask: int, value: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """(address, word) pairs that write ``value``, of shape (lines,), to a mask."""
        width = min(MASK_WORD, self.cfg.lines)
        rows = np.asarray(value, dtype=np.bool_).reshape(self.cfg.mask_words, width)
        return [
            (mask * self.cfg.mask_words + k, sum(int(bit) << j for j, bit in enumerate(row)))
            for k, row in enumerate(rows)
        ]

    def as_masks(self) -> Masks:
        """What the file holds, as the models take it."""
        return Masks(self.masks[:LINE_MASK], self.masks[LINE_MASK:BL_SKIP], self.masks[BL_SKIP], self.masks[SL_SKIP])


class MaskStore(wiring.Component):
    """Takes writes of masks and looks up those of an operation.

    The memories are set to "on" after reset, one word a cycle (``8 * cfg.mask_words`` cycles); meanwhile nothing is
    taken. A write is in force two cycles after its transfer, and look-ups wait for it.

    Members
    -------
    i : In(stream.Signature(MaskLayout(cfg)))
        Writes.
    ready : Out(1)
        A look-up may be made.
    read : In(1)
        Look up the masks of an operation; only while ``ready``.
    backward, wl_select, line_select : In
        Its fields; ``backward`` must stay for another cycle.
    wl, driven, enabled : Out(cfg.lines)
        Word lines that are on, driven lines that take an input, converted lines that give a code (see
        :class:`macro_models.exact.masks.Masks`). Valid from the second cycle after ``read`` until the next.
    """

    i: stream.Interface
    ready: Value
    read: Value
    backward: Value
    wl_select: Value
    line_select: Value
    wl: Signal
    driven: Signal
    enabled: Signal

    def __init__(self, cfg: CoreConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "i": In(stream.Signature(MaskLayout(cfg))),
            "ready": Out(1), "read": In(1),
            "backward": In(1), "wl_select": In(3), "line_select": In(3),
            "wl": Out(cfg.lines), "driven": Out(cfg.lines), "enabled": Out(cfg.lines),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lines, words = self.cfg.lines, self.cfg.mask_words
        width = min(MASK_WORD, lines)

        # Writes pass through a register; the walk that clears the memories uses it too.
        pending, addr, word = Signal(), Signal.like(self.i.p.addr), Signal(width)
        clear, cleared = Signal(range(LINE_MASK * words)), Signal()
        m.d.comb += [self.i.ready.eq(cleared), self.ready.eq(cleared & ~pending)]
        m.d.sync += pending.eq(~cleared | self.i.valid)
        with m.If(~cleared):
            m.d.sync += [clear.eq(clear + 1), addr.eq(clear), word.eq(~0), cleared.eq(clear.all())]
        with m.Else():
            m.d.sync += [addr.eq(self.i.p.addr), word.eq(self.i.p.data)]
        clearing = Signal()
        m.d.sync += clearing.eq(~cleared)

        shift = exact_log2(words)
        mask, lane = addr[shift:], addr[:shift]
        found = []
        for name, first, select in (("wl", WL_MASK, self.wl_select), ("lines", LINE_MASK, self.line_select)):
            memory = Memory(shape=lines, depth=8, init=[])
            m.submodules[f"{name}_masks"] = memory
            write, read = memory.write_port(granularity=width), memory.read_port()
            hit = pending & (clearing | (mask[3:] == first >> 3))
            m.d.comb += [
                write.addr.eq(mask[:3]), write.data.eq(word.replicate(words)),
                write.en.eq(Mux(hit, 1 << lane, 0)),
                read.addr.eq(select), read.en.eq(self.read),
            ]  # fmt: skip
            found.append(read.data)

        bl_skip, sl_skip = Signal(lines), Signal(lines)
        for skip, number in ((bl_skip, BL_SKIP), (sl_skip, SL_SKIP)):
            with m.If(pending & ~clearing & (mask == number)):
                m.d.sync += skip.word_select(lane, width).eq(word)

        sample = Signal()
        m.d.sync += sample.eq(self.read)
        with m.If(sample):
            wl = found[0] & ~bl_skip
            m.d.sync += [
                self.wl.eq(wl),
                self.driven.eq(Mux(self.backward, ~sl_skip, wl)),
                self.enabled.eq(found[1] & Mux(self.backward, wl, ~sl_skip)),
            ]
        return m
