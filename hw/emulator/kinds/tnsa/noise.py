"""Read noise of a conversion, drawn when all its inputs have been seen, and of its lines one after the other.

The law, in numpy, is :class:`mho.macro_models.integer.shift_register.ShiftRegister`.
"""

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.layout import OP_ID_WIDTH
from mho.hw.emulator.config import EXTRA
from mho.hw.emulator.kinds.tnsa.config import NOISE, TnsaEmulatorConfig
from mho.hw.emulator.macro import EmulatedMacro
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS
from mho.macro_models.integer.shift_register import (
    AMPLITUDE_SHIFT,
    LOW_BITS,
    NOISE_SHIFT,
    ROOT_BITS,
    ROUND_CONSTANT,
    ROUNDS,
    SHIFTS,
    STEP_BITS,
)

_AMPLITUDE_BITS = 16
_DEVIATE_BITS = 14  # with its sign
_SQUARE_BITS = 16
_HALF = 12  # of the bits of the register that are counted


def add_noise(m: Module, macro: EmulatedMacro, number: Value) -> "ConversionNoise":
    """Noise of the lines of a macro, of the conversion ``number``; its key and step know no reset."""
    m.submodules.noise = noise = ConversionNoise(macro.cfg)
    word = macro.load.p
    key = Signal(32, reset_less=True)
    step = Signal(STEP_BITS, reset_less=True)
    for index, value in enumerate((key, step)):
        with m.If(macro.loads & (word.region == EXTRA) & (word.index == NOISE + index)):
            m.d.sync += value.eq(word.data)
    m.d.comb += [
        noise.first.eq(~macro.begun), noise.row.eq(macro.row), noise.valid.eq(macro.adding & (macro.group == 0)),
        noise.driven.eq(macro.level.any()), noise.op_id.eq(number), noise.key.eq(key), noise.step.eq(step),
    ]
    return noise


def xorshift(x: Value) -> Value:
    """One step of a register of 32 bits."""
    for shift in SHIFTS:
        x = x ^ ((x << shift)[:32] if shift > 0 else x >> -shift)
    return x


def mix(x: Value) -> Value:
    """One round of a hash of 32 bits."""
    return (xorshift(x) + ROUND_CONSTANT)[:32]


class ConversionNoise(Resettable[TnsaEmulatorConfig]):
    """Adds the squares of the inputs plane by plane, then makes the amplitude of the noise and the deviates of lines.

    With a plane each input becomes ``2 x + b``, its square grows by three times itself and, with ``b``, by ``4 x + 1``.
    """

    begins = In(1)
    first = In(1)
    """A plane begins; it is the first of its conversion."""
    row = In(lambda self: range(self.cfg.lines))
    """Row whose input comes in the next cycle."""
    valid = In(1)
    driven = In(1)
    """An input is there, and its bit ``b``."""
    draw = In(1)
    """All inputs have been there: a strobe."""
    op_id = In(OP_ID_WIDTH)
    """Number of the conversion."""
    key = In(32)
    step = In(STEP_BITS)
    """Of the core, see :class:`mho.macro_models.integer.shift_register.ShiftRegister`."""
    ready = Out(1)
    """14 cycles after ``draw``: ``noise`` is that of line 0 two cycles later, until the next ``draw``."""
    follows = In(1)
    """``noise`` is that of the next line three cycles later."""
    noise = Out(lambda self: signed(_AMPLITUDE_BITS + _DEVIATE_BITS + 1 - NOISE_SHIFT + self.cfg.g_bits))
    """See above."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        squares = self._add_squares(m)
        state = Signal(32)
        count = Signal(range(2 * ROUNDS))
        square = Signal(2 * ROOT_BITS)
        rest = Signal(ROOT_BITS + 2)
        root = Signal(ROOT_BITS)
        product = Signal(STEP_BITS + ROOT_BITS)
        following, trial = Cat(square[-2:], rest), Cat(C(1, 2), root)
        fits = Signal()
        m.d.comb += fits.eq(following >= trial)
        with m.FSM():
            with m.State("Idle"):
                with m.If(self.follows):
                    m.d.sync += state.eq(xorshift(state))
                with m.If(self.draw):
                    # Eight more bits than the sum of the squares.
                    m.d.sync += [
                        square.eq(squares << 2 * ROOT_BITS - _SQUARE_BITS), rest.eq(0), root.eq(0), product.eq(0),
                        state.eq(self.key ^ self.op_id[:32]), self.ready.eq(0),
                    ]
                    m.next = "Run"
            with m.State("Run"):
                m.d.sync += [
                    square.eq(square << 2), rest.eq(following - Mux(fits, trial, 0)), root.eq(Cat(fits, root)),
                    # The product with the root, as its bits come.
                    product.eq((product << 1) + Mux(fits, self.step, 0)),
                    state.eq(mix(state) ^ Mux(count == ROUNDS - 1, self.op_id[32:], 0)), count.eq(count + 1),
                ]
                with m.If(count == 2 * ROUNDS - 1):
                    m.d.sync += count.eq(0)
                    m.next = "Seed"
            with m.State("Seed"):
                m.d.sync += self.ready.eq(1)
                with m.If(state == 0):
                    m.d.sync += state.eq(ROUND_CONSTANT)
                m.next = "Idle"
        self._multiply(m, state, product >> AMPLITUDE_SHIFT)
        return self.resets(m)

    def _add_squares(self, m: Module) -> Signal:
        """Sum of the squared inputs; what there is of each input is in a memory."""
        bits = LSB_SEGMENT_BITS - 1
        m.submodules.inputs = memory = Memory(shape=bits, depth=self.cfg.lines, init=[])
        write = memory.write_port()
        read = memory.read_port()
        row = Signal.like(self.row)
        first = Signal()
        squares = Signal(_SQUARE_BITS)
        before = Signal(bits)
        m.d.sync += row.eq(self.row)
        m.d.comb += [
            read.addr.eq(self.row), before.eq(Mux(first, 0, read.data)),
            write.addr.eq(row), write.data.eq(Cat(self.driven, before)), write.en.eq(self.valid),
        ]
        with m.If(self.begins):
            m.d.sync += [first.eq(self.first), squares.eq(Mux(self.first, 0, squares << 2))]
        with m.Elif(self.valid & self.driven):
            m.d.sync += squares.eq(squares + Cat(C(1, 2), before))
        return squares

    def _multiply(self, m: Module, state: Value, amplitude: Value) -> None:
        """Noise of the line of which ``state`` is, two cycles later."""
        # Odd: the count of 24 bits goes on from the byte that is between.
        counted = sum((state[k] for k in range(LOW_BITS - 1, 32)), Const(0)) - _HALF - 1
        low = Cat(C(1, 1), state[: LOW_BITS - 1], ~state[LOW_BITS - 1])
        deviate = Signal(signed(_DEVIATE_BITS))
        product = Signal(signed(_AMPLITUDE_BITS + _DEVIATE_BITS))
        shift = NOISE_SHIFT - self.cfg.g_bits
        m.d.sync += [
            deviate.eq(Cat(low, counted[: _DEVIATE_BITS - len(low)]).as_signed()), product.eq(deviate * amplitude),
        ]
        m.d.comb += self.noise.eq((product >> shift) + product[shift - 1])
