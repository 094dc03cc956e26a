"""Read noise of an emulated core: what each conversion begins with, and the noise of one line after the other.

The law, in numpy, is :class:`mho.macro_models.integer.shift_register.ShiftRegister`.
"""

from amaranth.hdl import C, Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.layout import OP_ID_WIDTH
from mho.hw.emulator.config import EmulatorConfig
from mho.hw.emulator.layout import ENABLE_BANKS, ContextLayout
from mho.hw.emulator.vector.lanes import LEVEL_BITS, add_with_carry
from mho.hw.ports import In, Out
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

__all__ = ["ConversionNoise", "LineNoise"]


def xorshift(x: Value) -> Value:
    """One step of a register of 32 bits."""
    for shift in SHIFTS:
        x = x ^ ((x << shift)[:32] if shift > 0 else x >> -shift)
    return x


def mix(x: Value) -> Value:
    """One round of a hash of 32 bits."""
    return (xorshift(x) + ROUND_CONSTANT)[:32]


AMPLITUDE_BITS = 16
"""Of what multiplies the deviates of a conversion."""

DEVIATE_BITS = 14
"""Of a deviate, with its sign."""

_STORED = 8  # levels that the loader writes at a time
_SQUARE_BITS = 16
_HALF = 12  # of the bits of the register that are counted


class ConversionNoise(Resettable[EmulatorConfig]):
    """Adds the squares of the inputs while they load, then makes seed and amplitude of each conversion.

    From the first cycle of ``full`` to ``ready`` it takes :meth:`EmulatorConfig.draw_cycles`.

    Members
    -------
    clear : In(1)
        The inputs of an operation begin.
    store, high, backward, levels : In
        Levels of eight lines of a segment are written; backward the upper four are those of the lower.
    full, two, op_id : In
        All of them are; the operation has two segments; its number.
    ready : Out(1)
        The operation may start.
    take : In(1)
        It starts.
    key, step : In
        Of the core, see :class:`mho.macro_models.integer.shift_register.ShiftRegister`.
    write, segment, seed, amplitude : Out
        What a conversion begins with; that of the higher segment comes first.
    """

    clear = In(1)
    store = In(1)
    high = In(1)
    backward = In(1)
    levels = In(_STORED * LEVEL_BITS)
    full = In(1)
    two = In(1)
    op_id = In(OP_ID_WIDTH)
    ready = Out(1)
    take = In(1)
    key = In(32)
    step = In(STEP_BITS)
    write = Out(1)
    segment = Out(1)
    seed = Out(32)
    amplitude = Out(AMPLITUDE_BITS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        squares = self._add_squares(m)
        state, number = Signal(32), Signal(OP_ID_WIDTH)
        count = Signal(range(2 * ROUNDS))
        square, rest = Signal(2 * ROOT_BITS), Signal(ROOT_BITS + 2)
        root, product = Signal(ROOT_BITS), Signal(STEP_BITS + ROOT_BITS)
        m.d.comb += [
            number.eq(self.op_id + (self.two & ~self.segment)), self.amplitude.eq(product >> AMPLITUDE_SHIFT),
            self.seed.eq(Mux(state == 0, ROUND_CONSTANT, state)),
        ]
        with m.FSM():
            with m.State("Idle"), m.If(self.full & ~self.ready):
                m.d.sync += self.segment.eq(self.two)
                m.next = "Begin"
            with m.State("Begin"):
                # Eight more bits than the sum of the squares.
                m.d.sync += [
                    square.eq(Mux(self.segment, squares[1], squares[0]) << 2 * ROOT_BITS - _SQUARE_BITS),
                    rest.eq(0), root.eq(0), product.eq(0), state.eq(self.key ^ number[:32]), count.eq(0),
                ]
                m.next = "Run"
            with m.State("Run"):
                following = Cat(square[-2:], rest)
                trial = Cat(C(1, 2), root)
                fits = Signal()
                m.d.comb += fits.eq(following >= trial)
                m.d.sync += [
                    square.eq(square << 2), rest.eq(following - Mux(fits, trial, 0)), root.eq(Cat(fits, root)),
                    # The product with the root, as its bits come.
                    product.eq((product << 1) + Mux(fits, self.step, 0)),
                    state.eq(mix(state) ^ Mux(count == ROUNDS - 1, number[32:], 0)), count.eq(count + 1),
                ]
                with m.If(count == 2 * ROUNDS - 1):
                    m.next = "Write"
            with m.State("Write"):
                m.d.comb += self.write.eq(1)
                m.d.sync += [self.segment.eq(0), self.ready.eq(~self.segment)]
                m.next = "Idle"
                with m.If(self.segment):
                    m.next = "Begin"
        with m.If(self.take):
            m.d.sync += self.ready.eq(0)
        return self.resets(m)

    def _add_squares(self, m: Module) -> list[Signal]:
        """Sums of the squared levels of the lower and of the higher segment, two cycles behind ``store``."""
        parts: list[Value] = []
        for k in range(_STORED):
            magnitude = self.levels.word_select(k, LEVEL_BITS)[: LEVEL_BITS - 1]
            square = Signal(2 * len(magnitude), name=f"square_{k}")
            m.d.comb += square.eq(magnitude * magnitude)
            parts.append(square)
        lower, upper = sum(parts[: _STORED // 2], Const(0)), sum(parts[_STORED // 2 :], Const(0))
        added, stored, high = Signal(2 * LEVEL_BITS + 1), Signal(), Signal()
        m.d.sync += [added.eq(lower + Mux(self.backward, 0, upper)), stored.eq(self.store), high.eq(self.high)]
        sums = [Signal(_SQUARE_BITS, name=name) for name in ("low_squares", "high_squares")]
        for segment, total in enumerate(sums):
            with m.If(self.clear):
                m.d.sync += total.eq(0)
            with m.Elif(stored & (high == segment)):
                m.d.sync += total.eq(total + added)
        return sums


class LineNoise(Resettable[EmulatorConfig]):
    """Adds its noise to each line on its way from the queue to the converter.

    A line leaves :attr:`EmulatorConfig.noise_cycles` after it came. Lines come as to the converter.

    Members
    -------
    write, number, segment, seed, amplitude : In
        What a conversion begins with, that of the ``segment`` of the operation ``number``.
    valid, line, charge, of : In
        From :class:`~mho.hw.emulator.vector.line_queue.LineQueue`.
    noisy : Out
        The same with its noise: ``valid``, ``line``, ``charge``, ``of``.
    """

    write = In(1)
    number = In(range(ENABLE_BANKS))
    segment = In(1)
    seed = In(32)
    amplitude = In(AMPLITUDE_BITS)
    valid = In(1)
    line = In(lambda self: range(self.cfg.lines))
    charge = In(lambda self: signed(self.cfg.step_bits + 1))
    of = In(lambda self: ContextLayout(self.cfg))
    noisy = Out(lambda self: data.StructLayout({
        "valid": 1, "line": range(self.cfg.lines), "charge": signed(self.cfg.charge_bits),
        "of": ContextLayout(self.cfg)}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=32 + AMPLITUDE_BITS, depth=2 * ENABLE_BANKS, init=[])
        write, read = memory.write_port(), memory.read_port()
        arrived, begins = Signal(), Signal()
        m.d.comb += [
            write.addr.eq(Cat(self.segment, self.number)), write.data.eq(Cat(self.seed, self.amplitude)),
            write.en.eq(self.write),
            read.addr.eq(Cat(self.of.high, self.of.number)), read.en.eq(self.valid & (self.line == 0)),
        ]
        m.d.sync += [arrived.eq(self.valid), begins.eq(read.en)]
        # The register at this line, and what multiplies its deviate.
        state, kept = Signal(32), Signal(32)
        amplitude, kept_amplitude = Signal(AMPLITUDE_BITS), Signal(AMPLITUDE_BITS)
        m.d.comb += [
            state.eq(Mux(begins, read.data[:32], kept)), amplitude.eq(Mux(begins, read.data[32:], kept_amplitude)),
        ]
        with m.If(arrived):
            m.d.sync += [kept.eq(xorshift(state)), kept_amplitude.eq(amplitude)]
        product, last = self._multiply(m, arrived, _deviate(state), kept_amplitude)
        entry = Cat(self.line, self.charge, self.of)
        stages = (("arrived", self.valid), ("multiplied", arrived), ("noisy", last))
        # Where the noise is complete before the next line comes, a line may stay where it is.
        for name, moves in stages[: 1 if self.cfg.noise_cycles <= self.cfg.row_words else None]:
            register = Signal(len(entry), name=f"line_{name}", reset_less=True)
            with m.If(moves):
                m.d.sync += register.eq(entry)
            entry = register
        noisy, shift, width = self.noisy, NOISE_SHIFT - self.cfg.g_bits, len(self.line)
        charge = entry[width : width + len(self.charge)].as_signed()
        m.d.sync += noisy.valid.eq(last)
        m.d.comb += [
            noisy.line.eq(entry[:width]), noisy.of.eq(entry[width + len(charge) :]),
            noisy.charge.eq(add_with_carry(charge, product[shift:].as_signed(), product[shift - 1])),
        ]
        return self.resets(m)

    def _multiply(self, m: Module, begin: Value, deviate: Value, amplitude: Value) -> tuple[Signal, Value]:
        """Product of a deviate and the amplitude of the next cycles; in which cycle its last bits are added.

        It takes ``cfg.noise_digits`` bits a cycle from the top. The next deviate may come with the last bits.
        """
        digits, cycles = self.cfg.noise_digits, self.cfg.noise_cycles - 2
        bits, sign = Signal(digits * cycles), Signal()
        product = Signal(signed(AMPLITUDE_BITS + DEVIATE_BITS + 1))
        left = Signal(range(cycles + 1))
        so_far = Mux(left == cycles, Mux(sign, -amplitude, 0), product)
        with m.If(left != 0):
            m.d.sync += [
                product.eq((so_far << digits) + amplitude * bits[-digits:]), bits.eq(bits << digits),
                left.eq(left - 1),
            ]
        with m.If(begin):
            # The sign is the topmost digit; it is repeated where the digits are more than the bits.
            m.d.sync += [sign.eq(deviate[-1]), bits.eq(deviate), left.eq(cycles)]
        return product, left == 1


def _deviate(state: Value) -> Value:
    """Deviate of a line, odd, from the register: the count of 24 bits goes on from the byte that is between."""
    counted = sum((state[k] for k in range(LOW_BITS - 1, 32)), Const(0)) - _HALF - 1
    low = Cat(C(1, 1), state[: LOW_BITS - 1], ~state[LOW_BITS - 1])
    return Cat(low, counted[: DEVIATE_BITS - len(low)]).as_signed()
