"""The engine: carries out one command at a time, while no product is in the core."""

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import C, Cat, Module, Mux, Shape, Signal, Value
from amaranth.lib import enum, stream, wiring
from amaranth.lib.memory import Memory

from mho.hw.block import Resettable
from mho.hw.core.layout import OpLayout
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.calibration import Calibrator
from mho.hw.kinds.pwm.engine.compensation import DriftCompensator
from mho.hw.kinds.pwm.engine.layout import Bank, Command, drift_state, programming_state, state_bits, view
from mho.hw.kinds.pwm.engine.procedure import FACTOR_BITS, Fitter, Procedure
from mho.hw.kinds.pwm.engine.programming import RowProgrammer
from mho.hw.kinds.pwm.pins import engine_pins
from mho.hw.kinds.pwm.settings import COLUMN_BITS
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, TRIM_BITS

_OF_CORE = ("convert", "offset", "setting", "verify", "reference", "reference_pos", "reference_neg")
"""What of a procedure goes out as it is."""


def procedure_shapes(cfg: PwmCoreConfig) -> dict[str, Any]:
    """What a procedure drives: shapes by name."""
    return {name: member.shape for name, member in Procedure.ports_for(cfg).items() if member.flow is wiring.Out}


class _State(enum.Enum, shape=3):
    IDLE = 0
    RUN = 1
    SEEK = 2
    WAIT = 3
    LOOK = 4


class CommandEngine(Resettable[PwmCoreConfig]):
    """Commands of :class:`mho.hw.kinds.pwm.engine.layout.Command`.

    A walk goes through the columns one after the other: three cycles each until its counters, its registers and what is
    kept of it are there, then as many as the procedure takes. At the end of a command one more walk gives the results.

    Members
    -------
    convert, offset, verify : Out
        A conversion is wanted until ``converted``, see :class:`mho.hw.kinds.pwm.engine.procedure.Procedure`.
    setting : Out
        A write of registers.
    <the members of :func:`mho.hw.kinds.pwm.pins.engine_pins`>
        To the macro, from flip-flops, but for those of conversions.
    """

    go = In(1)
    """Carry out ``op``, which stays until ``done``."""
    op = In(OpLayout())
    """The descriptor."""
    busy = Out(1)
    done = Out(1)
    """A command is in progress; strobe: its results have gone."""
    gives = Out(1)
    """Strobe: results begin."""
    i = In(stream.Signature(32))
    o = Out(stream.Signature(32))
    """What the command takes beside codes; its results."""
    converted = In(1)
    """Its counters were captured in the cycle before."""
    seek = Out(1)
    row = Out(lambda self: range(self.cfg.group_rows))
    """Have the counters and registers of a group of columns read."""
    counts_pos = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    counts_neg = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    columns = In(lambda self: self.cfg.lanes * COLUMN_BITS)
    """Those of the group, two cycles later."""
    column = Out(lambda self: range(self.cfg.lines))
    trim = In(TRIM_BITS)
    """A column, and a cycle later its trim word."""
    range_code = In(16)
    writing = In(32)
    """Registers."""
    pulse: Signal
    amplitude_write: Signal
    amplitude_column: Signal
    amplitude_data: Signal

    def __init__(self, cfg: PwmCoreConfig) -> None:
        shapes, self._pins = procedure_shapes(cfg), engine_pins(cfg)
        of_core = {name: wiring.Out(shapes[name]) for name in _OF_CORE}
        super().__init__(cfg, behind=of_core | {name: wiring.Out(width) for name, width in self._pins.items()})

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg = self.cfg
        m.submodules.calibrator = calibrator = Calibrator(cfg)
        m.submodules.compensator = compensator = DriftCompensator(cfg)
        m.submodules.programmer = programmer = RowProgrammer(cfg)
        m.submodules.fitter = fitter = Fitter()
        m.submodules.memory = memory = Memory(shape=state_bits(), depth=cfg.lines, init=[])
        want: dict[str, Any] = {
            name: Signal(shape, name=f"want_{name}") for name, shape in procedure_shapes(cfg).items()}
        state = Signal(_State)
        giving = Signal()
        half = Signal()
        product = Signal(Shape(2 * FACTOR_BITS, True))
        m.d.sync += product.eq(want["one"] * want["other"])
        procedures = {
            calibrator: (Command.CALIBRATE,), programmer: (Command.PROGRAM,),
            compensator: (Command.MEASURE, Command.RANGE, Command.COLUMN, Command.AFFINE),
        }
        command = self.op.wl_select
        write = memory.write_port()
        read = memory.read_port()
        look = Signal()
        proceed = Signal()
        ends = Signal()
        m.d.comb += [
            look.eq(state == _State.LOOK), self.busy.eq(state != _State.IDLE), read.addr.eq(self.column),
            write.addr.eq(self.column), write.data.eq(want["kept"]), write.en.eq(want["keep"] & ~giving),
            self.seek.eq(state == _State.SEEK), self.row.eq(self.column[(cfg.lanes - 1).bit_length():]),
            proceed.eq(look & Mux(giving, self._gives(m, read.data), want["proceed"])),
            ends.eq(proceed & (self.column == cfg.lines - 1)), self.o.valid.eq(look & giving & self.column[0]),
        ]
        for procedure, commands in procedures.items():
            mine = reduce(or_, (command == number for number in commands))
            self._connect(m, procedure, mine, want, look & ~giving, ends & ~giving, read.data, half, fitter, product)
        m.d.comb += [
            *(getattr(fitter, name).eq(want[name]) for name in ("fit", "wide", "scale", "limit", "slope")),
            *(getattr(self, name).eq(want[name]) for name in _OF_CORE),
            self.i.ready.eq(want["take_word"] & half),
        ]
        with m.If(want["take_word"]):
            m.d.sync += half.eq(~half)
        self._walk(m, state, want, proceed, ends, giving)
        self._to_macro(m, want)
        return self.resets(m)

    def _connect(
        self, m: Module, procedure: Procedure, mine: Value, want: dict[str, Any], look: Value, walked: Value,
        stored: Value, half: Signal, fitter: Fitter, product: Signal,
    ) -> None:
        """What a procedure sees; what it wants, while the command is one of its own."""
        lane = self.column[: (self.cfg.lanes - 1).bit_length()]
        active = Signal(name=f"{type(procedure).__name__.lower()}_active")
        m.d.comb += active.eq(mine)
        m.d.comb += [
            procedure.go.eq(self.go & active),
            procedure.lost.eq(self.go & ~active & (self.op.wl_select != Command.READ)),
            procedure.converted.eq(self.converted & active),
            procedure.walked.eq(walked & active), procedure.look.eq(look & active), procedure.column.eq(self.column),
            procedure.state.eq(stored), procedure.count_pos.eq(self.counts_pos.word_select(lane, COUNTER_BITS)),
            procedure.count_neg.eq(self.counts_neg.word_select(lane, COUNTER_BITS)),
            procedure.registers.eq(self.columns.word_select(lane, COLUMN_BITS)), procedure.trim.eq(self.trim),
            procedure.range_code.eq(self.range_code), procedure.writing.eq(self.writing),
            procedure.word_valid.eq(self.i.valid), procedure.word.eq(self.i.payload.word_select(half, 16)),
            procedure.command.eq(self.op.wl_select), procedure.fitted.eq(fitter.fitted), procedure.code.eq(fitter.code),
            procedure.product.eq(product),
        ]
        with m.If(active):
            m.d.comb += [signal.eq(getattr(procedure, name)) for name, signal in want.items()]

    def _walk(
        self, m: Module, state: Any, want: dict[str, Any], proceed: Value, ends: Value, giving: Signal
    ) -> None:
        """Column after column, for a procedure or for the results."""
        done = Signal()
        begins = Signal()
        m.d.comb += [
            # READ has nothing to do.
            done.eq(want["done"] | (self.go & (self.op.wl_select == Command.READ))), begins.eq(want["walk"] | done),
            self.gives.eq(done), self.done.eq(ends & giving),
        ]
        with m.Switch(state):
            with m.Case(_State.SEEK):
                m.d.sync += state.eq(_State.WAIT)
            with m.Case(_State.WAIT):
                m.d.sync += state.eq(_State.LOOK)
            with m.Case(_State.LOOK):
                with m.If(proceed):
                    m.d.sync += [self.column.eq(self.column + 1), state.eq(_State.SEEK)]
                with m.If(ends):
                    m.d.sync += [self.column.eq(0), state.eq(Mux(giving, _State.IDLE, _State.RUN)), giving.eq(0)]
        with m.If(self.go):
            m.d.sync += state.eq(_State.RUN)
        with m.If(begins):
            m.d.sync += [state.eq(_State.SEEK), self.column.eq(0), giving.eq(done)]

    def _gives(self, m: Module, stored: Value) -> Value:
        """Results, two columns a word; whether this column's has been taken."""
        lane = self.column[: (self.cfg.lanes - 1).bit_length()]
        drift, device = view(drift_state(), stored), view(programming_state(), stored)
        value = Signal(16)
        low = Signal(16)
        m.d.comb += value.eq(self.columns.word_select(lane, COLUMN_BITS))
        with m.Switch(self.op.wl_select):
            with m.Case(Command.MEASURE):
                m.d.comb += value.eq(drift.value)
            with m.Case(Command.PROGRAM):
                m.d.comb += value.eq(Cat(device.count, C(0, 3), device.done))
            with m.Case(Command.READ):
                with m.Switch(self.op.line_select):
                    with m.Case(Bank.TRIM_LOW):
                        m.d.comb += value.eq(self.trim[:16])
                    with m.Case(Bank.TRIM_HIGH):
                        m.d.comb += value.eq(self.trim[16:])
                    with m.Case(Bank.RANGE):
                        m.d.comb += value.eq(self.range_code)
                    with m.Case(Bank.PULSES):
                        m.d.comb += value.eq(device.pulses)
        m.d.sync += low.eq(Mux(self.column[0], low, value))
        m.d.comb += self.o.payload.eq(Cat(low, value))
        return ~self.column[0] | self.o.ready

    def _to_macro(self, m: Module, want: dict[str, Any]) -> None:
        m.d.sync += [
            self.pulse.eq(want["pulse"]), self.amplitude_write.eq(want["amplitude_write"]),
            self.amplitude_column.eq(self.column), self.amplitude_data.eq(want["amplitude_data"]),
        ]
