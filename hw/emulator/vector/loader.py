"""Loads the next operation of an emulated core while others run."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import stream
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.layout import INPUTS_PER_WORD, OpLayout
from mho.hw.core.shape import MASK_WORD
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.vector.lanes import LEVEL_BITS
from mho.hw.kinds.tnsa.inputs.loader import StagedLayout
from mho.hw.kinds.tnsa.inputs.op_check import OpCheck
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS

__all__ = ["VectorLoader"]

_FORWARD_LINES = 2 * INPUTS_PER_WORD


class VectorLoader(Resettable[EmulatorConfig]):
    """Takes one descriptor, waits for its masks, then writes its input codes into a bank of the input memory.

    A code becomes the level of its line, or forward of its pair of lines: four bits of the magnitude and a sign, 0 for
    a line that is not driven. Codes of two segments take two cycles a word instead of one. Codes out of the range of
    the operation lose the bits above its planes.

    Members
    -------
    op : In(stream.Signature(OpLayout()))
        Descriptors. An illegal one is dropped.
    i : In(stream.Signature(32))
        Four codes a word, lowest byte first; taken only after a descriptor.
    masks_ready, masks_busy : In(1)
        The masks can be looked up; they are being looked up.
    mask_valid, mask_index, mask_driven : In
        A word of the driven lines, which is kept here.
    accept, error : Out(1)
        A legal descriptor is taken in this cycle; an illegal one is dropped.
    full : Out(1)
        An operation is complete and waits.
    staged : Out(StagedLayout())
        That operation.
    take : In(1)
        It starts: the next may be loaded into the other bank. Only while ``full``.
    bank, write_high, write_word, write, value : Out
        To :class:`~mho.hw.emulator.vector.inputs.InputMemory`. The bank is that of the operation that waits.
    busy : Out(1)
        An operation is being loaded or waits.
    """

    op = In(stream.Signature(OpLayout()))
    i = In(stream.Signature(unsigned(32)))
    masks_ready = In(1)
    masks_busy = In(1)
    mask_valid = In(1)
    mask_index = In(lambda self: range(self.cfg.core.mask_words))
    mask_driven = In(lambda self: self._mask_width)
    accept = Out(1)
    error = Out(1)
    full = Out(1)
    staged = Out(StagedLayout())
    take = In(1)
    bank = Out(1)
    write_high = Out(1)
    write_word = Out(lambda self: range(self.cfg.input_words))
    write = Out(lambda self: self.cfg.input_lanes // INPUTS_PER_WORD)
    value = Out(lambda self: LEVEL_BITS * self.cfg.input_lanes)
    busy = Out(1)

    def __init__(self, cfg: EmulatorConfig) -> None:
        self._mask_width = min(MASK_WORD, cfg.lines)
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        staged = self.staged
        m.submodules.check = check = OpCheck()
        loading = Signal()
        word = Signal(range(self.cfg.lines // INPUTS_PER_WORD))
        transfer = self.op.valid & self.op.ready
        store = Signal()
        looked_up = Signal()
        # The first word of the driven lines is read in the cycle after the look-up.
        m.d.sync += looked_up.eq(~self.masks_busy)
        ready = loading & looked_up & ~self.masks_busy
        m.d.comb += [
            check.op.eq(self.op.payload),
            self.op.ready.eq(~loading & ~self.full & self.masks_ready),
            self.accept.eq(transfer & check.legal),
            self.error.eq(transfer & ~check.legal),
            store.eq(self.i.valid & ready),
            # The MSB segment is written first, then the LSB segment as the word is taken.
            self.i.ready.eq(ready & ~self.write_high),
            self.busy.eq(loading | self.full),
        ]
        with m.If(self.accept):
            m.d.sync += [
                loading.eq(1), word.eq(0), self.write_high.eq(check.two),
                staged.op.eq(self.op.payload), staged.planes.eq(check.planes), staged.two.eq(check.two),
            ]
        with m.If(store):
            m.d.sync += self.write_high.eq(staged.two & ~self.write_high)
            with m.If(~self.write_high):
                m.d.sync += word.eq(word + 1)
                # Forward takes half as many words.
                with m.If(word[:-1].all() & (word[-1] | ~staged.op.backward)):
                    m.d.sync += [loading.eq(0), self.full.eq(1)]
        with m.If(self.take):
            m.d.sync += [self.full.eq(0), self.bank.eq(~self.bank)]
        self._place(m, word, store)
        return self.resets(m)

    def _place(self, m: Module, word: Signal, store: Value) -> None:
        """Levels of the lines of a word of codes, and where they go."""
        cfg, backward = self.cfg, self.staged.op.backward
        codes = [self._level(m, k) for k in range(INPUTS_PER_WORD)]
        driven = self._driven(m, word, store & ~self.write_high)
        # Lines of the even and of the odd parts of four; they differ forward only.
        parts = []
        for part in range(2):
            lines = Signal(LEVEL_BITS * INPUTS_PER_WORD, name=f"part_{part}")
            for k in range(INPUTS_PER_WORD):
                pair = codes[(part * INPUTS_PER_WORD + k) // 2]
                # The second line of a pair is driven with the negative.
                level = Mux(backward, codes[k], Cat(pair[:4], pair[4] ^ (k & 1)))
                on = Mux(backward, driven[k], driven[part * INPUTS_PER_WORD + k])
                m.d.comb += lines.word_select(k, LEVEL_BITS).eq(Mux(on, level, 0))
            parts.append(lines)
        m.d.comb += self.value.eq(Cat(parts).replicate(cfg.input_lanes // _FORWARD_LINES))
        groups = cfg.input_lanes // _FORWARD_LINES  # of two parts in a word of the memory
        pair_of_parts = Signal(range(cfg.lines // _FORWARD_LINES))
        m.d.comb += [
            pair_of_parts.eq(Mux(backward, word[1:], word)),
            self.write_word.eq(pair_of_parts >> (groups - 1).bit_length()),
        ]
        for group in range(groups):
            here = store & ((pair_of_parts & (groups - 1)) == group)
            for part in range(2):
                m.d.comb += self.write[2 * group + part].eq(here & (~backward | (word[0] == part)))

    def _driven(self, m: Module, word: Signal, advance: Value) -> Signal:
        """Driven lines of a word of codes: eight of them, backward the lower four count."""
        backward = self.staged.op.backward
        depth = max(self.cfg.core.mask_words, 2)  # an address has a bit at least
        m.submodules.driven = memory = Memory(shape=self._mask_width, depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        following = Signal.like(word)
        per_mask = self._mask_width // INPUTS_PER_WORD
        shift = (per_mask - 1).bit_length()
        m.d.comb += [
            write.addr.eq(self.mask_index), write.data.eq(self.mask_driven), write.en.eq(self.mask_valid),
            following.eq(word + advance), read.addr.eq(Mux(backward, following >> shift, following >> (shift - 1))),
        ]
        lines = Signal(_FORWARD_LINES)
        fours = Mux(backward, word, word << 1)[:shift]
        m.d.comb += lines.eq(read.data >> (fours * INPUTS_PER_WORD))
        return lines

    def _level(self, m: Module, k: int) -> Signal:
        """Four bits of the magnitude of a code in the segment that is written, then its sign."""
        staged, code = self.staged, self.i.payload.word_select(k, 8)
        magnitude, result = Signal(8, name=f"magnitude_{k}"), Signal(LEVEL_BITS, name=f"level_{k}")
        keep = Signal(8, name=f"keep_{k}")
        negative = staged.op.in_signed & code[7]
        m.d.comb += [
            magnitude.eq(Mux(negative, -code, code)),
            keep.eq(Cat(magnitude[bit] & (staged.planes > bit) for bit in range(8))),
            result.eq(Cat(Mux(self.write_high, keep[LSB_SEGMENT_BITS:], keep[:LSB_SEGMENT_BITS]), negative)),
        ]
        return result
