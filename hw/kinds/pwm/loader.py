"""Loads the next operation while the last one runs: its descriptor, and the widths of its pulses."""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike, NDArray

from mho.hw.block import Resettable
from mho.hw.core.layout import OpLayout
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Bank, Command
from mho.macro_models.integer.operation import MAX_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS, PwmOperation

__all__ = ["PULSE_BITS", "PulseLoader", "PwmOpCheck", "pulse_planes"]

PULSE_BITS = MAGNITUDE_BITS + 1
"""Bits of a pulse: its width, and whether the input is negative."""

_CODES = 4


def pulse_planes(op: PwmOperation, x: ArrayLike) -> NDArray[np.bool_]:
    """Reference of the planes of :class:`PulseLoader`, shape (8, lines): bits of the widths, then signs."""
    code = np.asarray(x).astype(np.int64)
    negative = (code < 0) if op.in_signed else np.zeros(len(code), dtype=np.bool_)
    width = np.abs(code) << op.shift & 2**MAGNITUDE_BITS - 1
    return np.concatenate([(width >> np.arange(MAGNITUDE_BITS)[:, None] & 1).astype(np.bool_), negative[None]])


class PwmOpCheck(wiring.Component):
    """Decides whether a descriptor is legal, by the rules of :class:`PwmOperation`. Combinational.

    Parameters
    ----------
    commands
        Those of :class:`mho.hw.kinds.pwm.engine.layout.Command` are legal, too, in the form of
        :func:`mho.hw.kinds.pwm.engine.layout.pack_command`.

    Members
    -------
    op : In(OpLayout())
        The descriptor.
    legal : Out(1)
        Whether a :class:`PwmOperation` with these values exists.
    shift : Out(3)
        Bits by which magnitudes are shifted up to be widths.
    codes : Out(1)
        It takes input codes.
    """

    op: data.View
    legal: Value
    shift: Value
    codes: Value

    def __init__(self, *, commands: bool = False) -> None:
        self.commands = commands
        super().__init__({"op": In(OpLayout()), "legal": Out(1), "shift": Out(3), "codes": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        op = self.op
        planes = Signal(4)
        product, command = op.mode == 0, op.mode == COMMAND_MODE
        known = (op.wl_select <= max(Command)) & (op.line_select <= max(Bank)) & (op.in_bits == 8) & op.in_signed
        mode = product | (command & known) if self.commands else product
        m.d.comb += [
            planes.eq(op.in_bits - (op.in_signed & (op.in_bits != 1))), self.shift.eq(MAGNITUDE_BITS - planes),
            self.legal.eq(
                (planes != 0) & (planes <= MAGNITUDE_BITS) & (op.out_bits != 0) & (op.out_bits <= MAX_BITS)
                & (op.step_code != 0) & mode & ~op.backward & ~op.binary
            ),
            self.codes.eq(product | (op.wl_select == Command.MEASURE)),
        ]
        return m


class PulseLoader(Resettable):
    """Takes one descriptor, then its input codes, and holds them until the sequencer takes them.

    A descriptor is taken in one cycle, then a word of four codes a cycle; ``full`` follows the last word by a cycle.
    The step code is multiplied with the range register meanwhile.

    Members
    -------
    op : In(stream.Signature(OpLayout()))
        Descriptors. An illegal one is dropped.
    i : In(stream.Signature(32))
        Four codes a word, lowest byte first; taken only after a descriptor.
    masks_ready : In(1)
        The masks can be looked up.
    range_code : In(16)
        The range register.
    accept, error : Out(1)
        A legal descriptor is taken, an illegal one is dropped in this cycle.
    full : Out(1)
        An operation is complete and waits.
    staged, shift, step_code : Out(OpLayout()), Out(3), Out(16)
        That operation, the shift of its magnitudes, and its step code at the pins: see
        :meth:`mho.macro_models.integer.pwm.calibration.Calibration.step_code`.
    planes : Out(cfg.lines).array(8)
        Its pulses, see :func:`pulse_planes`.
    take : In(1)
        The operation starts: the next may be loaded. Only while ``full``.
    busy : Out(1)
        An operation is being loaded or waits.
    """

    op: stream.Interface
    i: stream.Interface
    masks_ready: Value
    range_code: Value
    accept: Value
    error: Value
    full: Signal
    staged: data.View
    shift: Signal
    step_code: Signal
    planes: list[Signal]
    take: Value
    busy: Value

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "op": In(stream.Signature(OpLayout())), "i": In(stream.Signature(unsigned(32))), "masks_ready": In(1),
            "range_code": In(16), "accept": Out(1), "error": Out(1), "full": Out(1), "staged": Out(OpLayout()),
            "shift": Out(3), "step_code": Out(16),
            "planes": Out(cfg.lines).array(PULSE_BITS), "take": In(1), "busy": Out(1),
        })

    def elaborate(self, platform: object) -> Any:
        m = Module()
        # Written by every operation before they are read: no reset.
        self._stored = [Signal(self.cfg.lines, name=f"plane_{k}", reset_less=True) for k in range(PULSE_BITS)]
        m.d.comb += [port.eq(plane) for port, plane in zip(self.planes, self._stored, strict=True)]
        check: Any = PwmOpCheck(commands=self.cfg.engine)
        m.submodules.check = check
        loading = Signal()
        transfer = self.op.valid & self.op.ready
        word = Signal(range(self.cfg.input_words()))
        m.d.comb += [
            check.op.eq(self.op.payload), self.op.ready.eq(~loading & ~self.full & self.masks_ready),
            self.accept.eq(transfer & check.legal), self.error.eq(transfer & ~check.legal),
            self.i.ready.eq(loading), self.busy.eq(loading | self.full),
        ]
        with m.If(self.accept):
            m.d.sync += [
                loading.eq(check.codes), self.full.eq(~check.codes), word.eq(0), self.staged.eq(self.op.payload),
                self.shift.eq(check.shift),
            ]
        with m.If(self.i.valid & self.i.ready):
            self._store(m, word)
            m.d.sync += word.eq(word + 1)
            with m.If(word == self.cfg.input_words() - 1):
                m.d.sync += [loading.eq(0), self.full.eq(1)]
        with m.If(self.take):
            m.d.sync += self.full.eq(0)
        self._scale(m)
        return self.resets(m)

    def _scale(self, m: Module) -> None:
        """The step code at the pins: known two cycles after the descriptor, and the words take longer."""
        rounded = Signal(18)
        product = Signal(32)
        m.d.sync += product.eq(self.staged.step_code * self.range_code)
        m.d.comb += rounded.eq((product + (1 << 14)) >> 15)
        m.d.sync += self.step_code.eq(Mux(rounded > 0xFFFF, 0xFFFF, Mux(rounded == 0, 1, rounded)))

    def _store(self, m: Module, word: Signal) -> None:
        """Write the widths and signs of the four codes of a word."""
        codes = [self._pulse(m, k) for k in range(_CODES)]
        lines = []
        for k in range(PULSE_BITS):
            line = Signal(_CODES, name=f"lines_{k}")
            m.d.comb += line.eq(Cat(code[k] for code in codes))
            lines.append(line)
        # One switch for all planes, and not a part-select in each, simulates faster.
        with m.Switch(word):
            for k in range(self.cfg.input_words()):
                with m.Case(k):
                    m.d.sync += [
                        plane[_CODES * k : _CODES * (k + 1)].eq(line)
                        for plane, line in zip(self._stored, lines, strict=True)
                    ]

    def _pulse(self, m: Module, k: int) -> Signal:
        """Width of the pulse of a code, and its sign."""
        code = self.i.payload.word_select(k, 8)
        magnitude = Signal(8, name=f"magnitude_{k}")
        negative = self.staged.in_signed & code[7]
        pulse = Signal(PULSE_BITS, name=f"pulse_{k}")
        m.d.comb += [magnitude.eq(code), pulse.eq(Cat((magnitude << self.shift)[:MAGNITUDE_BITS], negative))]
        with m.If(negative):
            m.d.comb += magnitude.eq(-code)
        return pulse
