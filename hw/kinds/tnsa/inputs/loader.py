"""Loads the next operation while the last one runs: its descriptor, its input codes, its masks."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.core.digital.loader import code_planes, sign_magnitude
from mho.hw.core.layout import INPUT_WIDTH, INPUTS_PER_WORD, OpLayout
from mho.hw.kinds.tnsa.config import LIMITS, TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs.op_check import OpCheck
from mho.macro_models.integer.operation import MAX_BITS, Direction, MvmOperation

__all__ = ["OperationLoader", "StagedLayout", "staged_planes"]


class StagedLayout(data.StructLayout):
    """An operation that waits to start: its descriptor and what was derived from it."""

    def __init__(self) -> None:
        super().__init__({"op": OpLayout(), "planes": 4, "two": 1})


def staged_planes(op: MvmOperation, x: ArrayLike) -> NDArray[np.bool_]:
    """Reference of the planes of :class:`OperationLoader`, shape (8, lines); bits above ``op.planes`` are theirs too.

    ``x`` is one vector: (lines // 2,) codes forward, (lines,) backward.
    """
    planes = code_planes(op, x)
    return planes if op.direction is Direction.BACKWARD else planes.repeat(2, axis=1)


class OperationLoader(Resettable[TnsaCoreConfig]):
    """Takes one descriptor, then its input codes, and holds them until the sequencer takes them.

    Codes become sign and magnitude. They are held one bit of the magnitude a plane, because the lines are driven plane
    by plane; forward, both bit lines of a pair hold the code. Plane 7 is the sign of signed codes, which have at most
    seven planes, or bit 7 of unsigned ones. Codes out of the range of the operation lose the bits above its planes.

    A descriptor is taken in one cycle, then a word of codes a cycle; ``full`` follows the last word by a cycle.

    Members
    -------
    op : In(stream.Signature(OpLayout()))
        Descriptors. An illegal one is dropped.
    i : In(stream.Signature(32))
        Four codes a word, lowest byte first; taken only after a descriptor.
    masks_ready : In(1)
        The masks can be looked up.
    accept : Out(1)
        A legal descriptor is taken in this cycle: look up its masks.
    error : Out(1)
        An illegal descriptor is dropped in this cycle.
    full : Out(1)
        An operation is complete and waits.
    staged : Out(StagedLayout())
        That operation.
    planes : Out(cfg.lines).array(8)
        Its planes, see :func:`staged_planes`.
    take : In(1)
        The last conversion of the operation starts: the next may be loaded. Only while ``full``.
    busy : Out(1)
        An operation is being loaded or waits.
    most_in_bits, most_out_bits : In(4)
        With ``cfg.trim``: see :class:`mho.hw.kinds.tnsa.inputs.op_check.OpCheck`.
    """

    op: stream.Interface
    i: stream.Interface
    masks_ready: Value
    accept: Value
    error: Value
    full: Signal
    staged: data.View
    planes: list[Signal]
    take: Value
    busy: Value

    def __init__(self, cfg: TnsaCoreConfig) -> None:
        limits = {name: In(4) for name in LIMITS} if cfg.trim else {}
        super().__init__(cfg, {
            "op": In(stream.Signature(OpLayout())), "i": In(stream.Signature(unsigned(32))),
            "masks_ready": In(1), "accept": Out(1), "error": Out(1),
            "full": Out(1), "staged": Out(StagedLayout()), "planes": Out(cfg.lines).array(MAX_BITS), "take": In(1),
            "busy": Out(1), **limits,
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Written by every operation before they are read: no reset.
        self._stored = [Signal(self.cfg.lines, name=f"plane_{k}", reset_less=True) for k in range(MAX_BITS)]
        m.d.comb += [port.eq(plane) for port, plane in zip(self.planes, self._stored, strict=True)]
        m.submodules.check = check = OpCheck(limited=self.cfg.trim)
        if self.cfg.trim:
            m.d.comb += [getattr(check, name).eq(getattr(self, name)) for name in LIMITS]
        loading = Signal()
        word = Signal(range(self.cfg.lines // INPUTS_PER_WORD))
        last_word = Signal()
        transfer = self.op.valid & self.op.ready
        m.d.comb += [
            check.op.eq(self.op.payload),
            self.op.ready.eq(~loading & ~self.full & self.masks_ready),
            self.accept.eq(transfer & check.legal),
            self.error.eq(transfer & ~check.legal),
            self.i.ready.eq(loading),
            self.busy.eq(loading | self.full),
            last_word.eq(self._last(word)),
        ]
        with m.If(self.accept):
            m.d.sync += [
                loading.eq(1), word.eq(0),
                self.staged.op.eq(self.op.payload), self.staged.planes.eq(check.planes), self.staged.two.eq(check.two),
            ]
        with m.If(self.i.valid & self.i.ready):
            self._store(m, word)
            m.d.sync += word.eq(word + 1)
            with m.If(last_word):
                m.d.sync += [loading.eq(0), self.full.eq(1)]
        with m.If(self.take):
            m.d.sync += self.full.eq(0)
        return self.resets(m)

    def _last(self, word: Signal) -> Value:
        """Whether a word is the last of a vector, of which one that goes forward has half as many."""
        words, backward = self.cfg.lines // INPUTS_PER_WORD, self.staged.op.backward
        if words == 1 << len(word):
            return word[:-1].all() & (word[-1] | ~backward)
        return word == Mux(backward, words - 1, words // 2 - 1)

    def _store(self, m: Module, word: Signal) -> None:
        """Write the four codes of a word to eight lines (forward) or to one half of them (backward)."""
        op = self.staged.op
        word_codes = [self.i.payload.word_select(k, INPUT_WIDTH) for k in range(INPUTS_PER_WORD)]
        codes = [sign_magnitude(m, code, op.in_signed, k) for k, code in enumerate(word_codes)]
        group = Signal(range(self.cfg.lines // 8))
        lower = Signal()
        upper = Signal()
        m.d.comb += [
            group.eq(Mux(op.backward, word[1:], word[:-1])),
            lower.eq(~op.backward | ~word[0]), upper.eq(~op.backward | word[0]),
        ]
        lines = []
        for k in range(MAX_BITS):
            bits, line = [code[k] for code in codes], Signal(8, name=f"lines_{k}")
            m.d.comb += line.eq(Mux(op.backward, Cat(bits, bits), Cat(bit.replicate(2) for bit in bits)))
            lines.append(line)
        # One switch for all planes, and not a part-select in each, simulates faster.
        with m.Switch(group):
            for k in range(self.cfg.lines // 8):
                with m.Case(k):
                    for half, enable in ((slice(0, 4), lower), (slice(4, 8), upper)):
                        with m.If(enable):
                            m.d.sync += [
                                plane[8 * k : 8 * k + 8][half].eq(line[half])
                                for plane, line in zip(self._stored, lines, strict=True)
                            ]
