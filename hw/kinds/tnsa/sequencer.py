"""Order and timing of the operations at the macro's pins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from mho.hw.block import Resettable, named
from mho.hw.core.layout import OP_ID_WIDTH
from mho.hw.core.shape import OVERHEAD_CYCLES
from mho.hw.kinds.tnsa.bring_up.trim import DurationLayout
from mho.hw.kinds.tnsa.config import OPERATIONS, TnsaCoreConfig, constant_name
from mho.hw.kinds.tnsa.converters import CONVERTERS
from mho.hw.kinds.tnsa.inputs import StagedLayout
from mho.hw.kinds.tnsa.results import COUNT_BITS
from mho.hw.ports import In, Out
from mho.macro_models.integer.operation import LSB_SEGMENT_BITS, STEP_WIDTH
from mho.macro_models.integer.tnsa.operation import TnsaOperation


@dataclass(frozen=True, kw_only=True)
class PinOperation:
    """One operation at the pins."""

    cycle: int
    """Its first cycle, counted from the first of the MVM."""
    name: str
    """``precharge``, ``plane`` (which has no strobe: the line registers change), ``sample``, ``compare`` or
    ``decrement``."""
    segment: int = 0
    """Conversion of the MVM, 0 or 1."""
    plane: int = 0
    """Binary weight of the plane, for ``plane`` and ``sample``."""
    latch: bool = False
    """For ``compare``: its result is the direction of the decrements that follow."""
    dec_scale: int = 0
    """Binary weight of a decrement."""


def pin_operations(cfg: TnsaCoreConfig, op: TnsaOperation, steps: Sequence[int]) -> list[PinOperation]:
    """Operations at the pins of one MVM, for the decrements made in each segment. Reference of :class:`Sequencer`."""
    result = []
    cycle = 0
    for segment, (planes, count) in enumerate(zip(op.segment_planes, steps, strict=True)):
        for name, duration, fields in _conversion(cfg, op, planes, count):
            result.append(PinOperation(cycle=cycle, name=name, segment=segment, **fields))
            cycle += duration
        cycle += OVERHEAD_CYCLES
    return result


def _conversion(
    cfg: TnsaCoreConfig, op: TnsaOperation, planes: int, steps: int
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Name, duration and fields of each operation of one conversion."""
    converter = CONVERTERS[op.converter]
    yield "precharge", cfg.reset_cycles, {}
    for plane in reversed(range(planes)):
        yield "plane", cfg.plane_cycles, {"plane": plane}
        for _ in range(2**plane):
            yield "sample", cfg.sample_cycles, {"plane": plane}
    yield "compare", cfg.compare_cycles, {"latch": True}
    for k in range(steps):
        yield "decrement", cfg.decrement_cycles, {"dec_scale": converter.scale(steps, k)}
        yield "compare", cfg.compare_cycles, {"latch": converter.latches}


class PlanLayout(data.StructLayout):
    """What the converter needs to know of the operation that runs.

    ``cap`` is the most decrements of a count, ``limit`` the most of the converter; ``two``: it has two conversions.
    """

    def __init__(self) -> None:
        super().__init__({
            "backward": 1, "in_signed": 1, "two": 1, "planes": 4, "binary": 1, "relu": 1, "early_stop": 1,
            "cap": COUNT_BITS, "limit": COUNT_BITS, "step_code": STEP_WIDTH,
        })


class Sequencer(Resettable[TnsaCoreConfig]):
    """Issues the operations of one MVM after another without a gap.

    Each operation lasts its number of cycles; in the last of them the next is decided. After the last operation of a
    conversion one cycle (:data:`mho.hw.core.shape.OVERHEAD_CYCLES`) moves the result to its bank and takes the next
    MVM. Durations that are registers are copied when an MVM starts: what is written meanwhile counts from the next one
    on.
    """

    full = In(1)
    """An operation waits, ``staged``."""
    staged = In(StagedLayout())

    take = Out(1)
    """It starts: precharge follows in the next cycle."""
    load = Out(1)
    upper = Out(1)
    """A conversion of it starts, which is the MSB segment: to :class:`LineRegisters`."""
    plan = Out(PlanLayout())
    """The operation that runs."""
    drive = Out(1)
    select = Out(2)
    clear = Out(1)
    """To :class:`LineRegisters`."""
    latch = Out(1)
    step = Out(1)
    """Last cycle of the first compare, and of a compare after a decrement."""
    count = Out(COUNT_BITS)
    scale = Out(3)
    """Decrements before the one that this compare follows; binary weight of that one."""
    pending = In(1)
    """With ``latch`` or ``step``: a line that counts has not flipped. Combinational."""
    finish = Out(1)
    """The result of a conversion moves to its bank."""
    high = Out(1)
    """This conversion is the MSB segment."""
    free = In(1)
    """The bank is free."""
    running = Out(1)
    """An MVM is in progress."""
    analog = Out(1)
    """An operation is at the pins."""
    precharge = Out(1)
    sample = Out(1)
    plane = Out(3)
    compare = Out(1)
    latch_pin = Out(1)
    decrement = Out(1)
    dec_scale = Out(3)
    op_id = Out(OP_ID_WIDTH)
    """To the pins, from flip-flops."""
    hold = In(1)
    """Freezes the operation at the pins for this cycle."""
    durations = In(lambda self: DurationLayout(self.cfg), when=lambda self: self.cfg.trim)
    """With ``cfg.trim``: cycles of each operation."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, plan = self.cfg, self.plan
        if cfg.trim:
            layout = DurationLayout(cfg)
            self._held = Signal(layout, name="durations_held")
            self._timer = timer = Signal(max(Value.cast(self._held[name]).shape().width for name in OPERATIONS))
        else:
            self._timer = timer = Signal(range(max(getattr(cfg, name) for name in OPERATIONS) + 1))
            self._cycles = {name: named(m, constant_name(name), getattr(cfg, name), len(timer)) for name in OPERATIONS}
        # Decrements that may follow, this one included.
        left = Signal(COUNT_BITS)
        self._repeats = repeats = Signal(range(2 ** (LSB_SEGMENT_BITS - 1)))
        self._ends = ends = Signal()
        self._carry = Signal()
        m.d.sync += self._carry.eq(self.op_id[: OP_ID_WIDTH // 2].all())
        last = Signal()
        # A binary search scales down to 0; while counting the scale stays 0.
        m.d.comb += [last.eq(ends & ~self.hold), self.scale.eq(self.dec_scale)]
        # A strobe lasts one cycle, whatever the duration of its operation.
        m.d.sync += [self.precharge.eq(0), self.sample.eq(0), self.compare.eq(0), self.decrement.eq(0)]
        # The timer counts the cycles that are left with this one, which needs no adder at its input; that this is the
        # last one has a flip-flop of its own.
        with m.If(self.analog & ~self.hold):
            m.d.sync += [timer.eq(timer - 1), ends.eq(timer == 2)]

        with m.FSM() as fsm:
            m.d.comb += self.running.eq(~fsm.ongoing("Idle"))
            m.d.comb += self.analog.eq(self.running & ~fsm.ongoing("Finish"))
            with m.State("Idle"):
                self._take(m)
            with m.State("Precharge"), m.If(last):
                self._begin_plane(m, self._top_plane())
            with m.State("Plane"), m.If(last):
                # One less than 2**plane.
                m.d.sync += repeats.eq(Cat(self.plane > k for k in range(len(repeats))))
                self._begin(m, "Sample", self.sample, "sample_cycles")
            with m.State("Sample"), m.If(last):
                with m.If(repeats != 0):
                    m.d.sync += repeats.eq(repeats - 1)
                    self._begin(m, "Sample", self.sample, "sample_cycles")
                with m.Elif(self.plane != 0):
                    self._begin_plane(m, (self.plane - 1)[:2])
                with m.Else():
                    m.d.comb += self.clear.eq(1)
                    m.d.sync += [self.latch_pin.eq(1), self.count.eq(0)]
                    self._begin(m, "Latch", self.compare, "compare_cycles")
            with m.State("Latch"), m.If(last):
                m.d.comb += self.latch.eq(1)
                m.d.sync += [left.eq(plan.limit), self.dec_scale.eq(0)]
                with m.If(plan.binary):
                    m.d.sync += self.dec_scale.eq(plan.limit[:3] - 1)
                with m.If((plan.limit == 0) | (plan.early_stop & ~self.pending)):
                    m.next = "Finish"
                with m.Else():
                    self._begin(m, "Decrement", self.decrement, "decrement_cycles")
            with m.State("Decrement"), m.If(last):
                m.d.sync += self.latch_pin.eq(plan.binary)
                self._begin(m, "Compare", self.compare, "compare_cycles")
            with m.State("Compare"), m.If(last):
                m.d.comb += self.step.eq(1)
                m.d.sync += [self.count.eq(self.count + 1), left.eq(left - 1)]
                with m.If((left == 1) | (plan.early_stop & ~self.pending)):
                    m.next = "Finish"
                with m.Else():
                    with m.If(plan.binary):
                        m.d.sync += self.dec_scale.eq(self.dec_scale - 1)
                    self._begin(m, "Decrement", self.decrement, "decrement_cycles")
            with m.State("Finish"), m.If(self.free):
                m.d.comb += self.finish.eq(1)
                with m.If(self.high):
                    m.d.comb += self.load.eq(1)
                    m.d.sync += self.high.eq(0)
                    self._next_op_id(m)
                    self._begin(m, "Precharge", self.precharge, "reset_cycles")
                with m.Else():
                    m.next = "Idle"
                    self._take(m)
        return self.resets(m)

    def _next_op_id(self, m: Module) -> None:
        """Add 1 to the number. It was set many cycles ago, so that its carry is known."""
        low, high = self.op_id[: OP_ID_WIDTH // 2], self.op_id[OP_ID_WIDTH // 2 :]
        m.d.sync += low.eq(low + 1)
        with m.If(self._carry):
            m.d.sync += high.eq(high + 1)

    def _begin(self, m: Module, state: str, strobe: Signal, name: str, *, first: bool = False) -> None:
        """The next cycle is the first of an operation that lasts ``name``; ``first``: of an MVM."""
        m.d.sync += strobe.eq(1)
        self._begin_timer(m, name, first=first)
        m.next = state

    def _begin_timer(self, m: Module, name: str, *, first: bool = False) -> None:
        cycles: Any = (self.durations if first else self._held)[name] if self.cfg.trim else self._cycles[name]
        m.d.sync += [self._timer.eq(cycles), self._ends.eq(cycles == 1)]

    def _begin_plane(self, m: Module, plane: Value) -> None:
        m.d.comb += [self.drive.eq(1), self.select.eq(plane)]
        m.d.sync += self.plane.eq(plane)
        self._begin_timer(m, "plane_cycles")
        m.next = "Plane"

    def _top_plane(self) -> Value:
        """Weight of the first plane of the conversion that begins, 0..3."""
        # Modulo four this is right for the MSB segment too, whose planes lie above four others.
        top = (self.plan.planes - 1)[:2]
        return Mux(self.plan.two & ~self.high, LSB_SEGMENT_BITS - 1, top)

    def _take(self, m: Module) -> None:
        """Start the operation that waits, if there is one."""
        op, plan = self.staged.op, self.plan
        with m.If(self.full):
            m.d.comb += [self.take.eq(1), self.load.eq(1), self.upper.eq(self.staged.two)]
            cap = Cat(op.out_bits > k + 1 for k in range(COUNT_BITS))
            m.d.sync += [
                plan.backward.eq(op.backward), plan.in_signed.eq(op.in_signed), plan.binary.eq(op.binary),
                plan.relu.eq(op.relu), plan.early_stop.eq(op.early_stop & ~op.binary), plan.step_code.eq(op.step_code),
                plan.two.eq(self.staged.two), plan.planes.eq(self.staged.planes),
                plan.cap.eq(cap), plan.limit.eq(Mux(op.binary, (op.out_bits - 1)[:3], cap)),
                self.high.eq(self.staged.two), self.op_id.eq(op.op_id),
            ]
            if self.cfg.trim:
                m.d.sync += self._held.eq(self.durations)
            self._begin(m, "Precharge", self.precharge, "reset_cycles", first=True)
