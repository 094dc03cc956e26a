"""Memory of a core's masks, and the lines that they switch on for one operation."""

import numpy as np
from amaranth.hdl import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from numpy.typing import NDArray

from mho.hw.block import Resettable
from mho.hw.core.shape import MASK_WORD, MASKS, CoreShape
from mho.hw.memory import block_memory
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import Masks

WL_MASK, LINE_MASK, BL_SKIP, SL_SKIP = 0, 8, 16, 17
"""Numbers of the first word-line mask, the first mask of converted lines, and the two skip maps."""


class MaskLayout(data.StructLayout):
    """A word of a mask and its address, ``mask * cfg.mask_words + word``."""

    def __init__(self, cfg: CoreShape) -> None:
        super().__init__({"addr": (MASKS * cfg.mask_words - 1).bit_length(), "data": 32})


class MaskFile:
    """Reference of :class:`MaskStore`: the masks after a number of writes. ``masks`` has shape (18, lines)."""

    def __init__(self, cfg: CoreShape) -> None:
        self.cfg = cfg
        self.masks = np.zeros((MASKS, cfg.mask_lines), dtype=np.bool_)
        self.masks[:BL_SKIP] = True

    def write(self, addr: int, word: int) -> None:
        """Write one word. Addresses behind the last mask are ignored."""
        mask, k = divmod(addr, self.cfg.mask_words)
        if mask < MASKS:
            lines = self.masks[mask, k * MASK_WORD : (k + 1) * MASK_WORD]
            lines[:] = [word >> bit & 1 for bit in range(len(lines))]

    def filled(self, mask: int, value: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """All lines of a mask whose first are ``value`` and whose others stay."""
        return np.concatenate([np.asarray(value, dtype=np.bool_), self.masks[mask, len(value) :]])

    def words(self, mask: int, value: NDArray[np.bool_]) -> list[tuple[int, int]]:
        """(address, word) pairs that write ``value`` to a mask; it may have fewer lines, the others stay."""
        lines, words = self.filled(mask, value), self.cfg.mask_words
        return [
            (mask * words + k, sum(int(bit) << j for j, bit in enumerate(lines[k * MASK_WORD : (k + 1) * MASK_WORD])))
            for k in range(words)
        ]

    def as_masks(self) -> Masks:
        """What the file holds, as the models take it."""
        rows, columns = self.masks[:, : self.cfg.rows], self.masks[:, : self.cfg.columns]
        return Masks(rows[:LINE_MASK], columns[LINE_MASK:BL_SKIP], rows[BL_SKIP], columns[SL_SKIP])


class MaskStore(Resettable[CoreShape]):
    """Memory of all masks, which looks up those of an operation.

    After reset the memory is set to its defaults, one word a cycle (``18 * cfg.mask_words`` cycles). A look-up reads
    four words for each word of a mask and takes ``4 * cfg.mask_words + 1`` cycles after ``read``. Writes wait for both.
    """

    i = In(lambda self: stream.Signature(MaskLayout(self.cfg)))
    """Writes; in force for look-ups that begin with the transfer or later. Addresses behind the last mask are
    ignored."""
    ready = Out(1)
    """A look-up may begin."""
    read = In(1)
    """Begin a look-up; only while ``ready``."""
    backward = In(1)
    wl_select = In(3)
    line_select = In(3)
    """The operation; they must stay until the next look-up."""
    busy = Out(1)
    """A look-up is in progress."""
    wl = Out(lambda self: self.cfg.mask_lines)
    driven = Out(lambda self: self.cfg.mask_lines)
    enabled = Out(lambda self: self.cfg.mask_lines)
    """Word lines that are on, driven lines that take an input, converted lines that give a code (see
    :class:`mho.macro_models.integer.operation.Masks`). Valid after a look-up until the next."""
    word_valid = Out(1)
    """A word of them is complete: the same, for whoever keeps it in a memory."""
    word_index = Out(lambda self: range(self.cfg.mask_words))
    word_driven = Out(lambda self: self.cfg.mask_width)
    word_enabled = Out(lambda self: self.cfg.mask_width)
    """Which, and the words."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words = self.cfg.mask_words
        # Writes wait for look-ups: one port does.
        m.submodules.memory = memory = block_memory(platform, self.cfg.mask_width, MASKS * words)
        write = memory.write_port()
        read = memory.read_port()

        # The memory has no reset, so a walk over it gives it one.
        clear = Signal.like(write.addr)
        cleared = Signal()
        m.d.comb += [self.i.ready.eq(cleared & ~self.busy), self.ready.eq(cleared & ~self.busy)]
        with m.If(~cleared):
            m.d.sync += [clear.eq(clear + 1), cleared.eq(clear == MASKS * words - 1)]
            m.d.comb += [write.addr.eq(clear), write.data.eq((clear < BL_SKIP * words).replicate(len(write.data)))]
            m.d.comb += write.en.eq(1)
        with m.Else():
            m.d.comb += [write.addr.eq(self.i.p.addr), write.data.eq(self.i.p.data)]
            m.d.comb += write.en.eq(self.i.valid & self.i.ready & (self.i.p.addr < MASKS * words))

        # Reads: for each word, those of the four masks; the word that was read is used in the cycle after.
        step = Signal(range(4 * words))
        last = Signal()
        reading = Signal()
        mask = Signal(5)
        with m.Switch(step[:2]):
            order = BL_SKIP, Cat(self.wl_select, C(0, 2)), SL_SKIP, Cat(self.line_select, C(1, 2))
            for kind, number in enumerate(order):
                with m.Case(kind):
                    m.d.comb += mask.eq(number)
        m.d.comb += [read.addr.eq(Cat(step[2:], mask)), read.en.eq(reading), last.eq(step == 4 * words - 1)]
        with m.If(self.read):
            m.d.sync += [reading.eq(1), self.busy.eq(1)]
        with m.If(reading):
            m.d.sync += [step.eq(Mux(last, 0, step + 1)), reading.eq(~last)]
        # Written before they are read: no reset.
        self._found = {name: Signal(words * self.cfg.mask_width, name=f"{name}_lines", reset_less=True)
                       for name in ("wl", "driven", "enabled")}
        m.d.comb += [getattr(self, name).eq(lines_on) for name, lines_on in self._found.items()]
        arrived = Signal()
        previous = Signal.like(step)
        m.d.sync += [arrived.eq(reading), previous.eq(step)]
        with m.If(arrived):
            self._combine(m, read.data, previous[:2], previous[2:])
            m.d.sync += self.busy.eq(reading)
        return self.resets(m)

    def _combine(self, m: Module, data: Value, kind: Value, word: Value) -> None:
        """Use the word of a mask that has arrived."""
        width = len(data)
        bl_live = Signal(width)
        word_lines = Signal(width)
        sl_live = Signal(width)
        with m.Switch(kind):
            with m.Case(0):
                m.d.sync += bl_live.eq(~data)
            with m.Case(1):
                m.d.sync += word_lines.eq(data & bl_live)
            with m.Case(2):
                m.d.sync += sl_live.eq(~data)
            with m.Case(3):
                m.d.comb += [
                    self.word_valid.eq(1), self.word_index.eq(word),
                    self.word_driven.eq(Mux(self.backward, sl_live, word_lines)),
                    self.word_enabled.eq(data & Mux(self.backward, word_lines, sl_live)),
                ]
                m.d.sync += [
                    self._found["wl"].word_select(word, width).eq(word_lines),
                    self._found["driven"].word_select(word, width).eq(self.word_driven),
                    self._found["enabled"].word_select(word, width).eq(self.word_enabled),
                ]
