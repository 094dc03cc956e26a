"""One transposable core at vector level: codes in, codes out, the macro's pins."""

from typing import Any

from amaranth.hdl import Module, Value, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.core.config import CoreConfig
from hw.core.counters import LineCounters
from hw.core.drain import ResultBank
from hw.core.layout import OpLayout
from hw.core.lines import LineRegisters
from hw.core.loader import OperationLoader
from hw.core.masks import MaskLayout, MaskStore
from hw.core.sequencer import Sequencer
from hw.macro.pins import TnsaPins

__all__ = ["Core", "CoreStatus"]


class CoreStatus(wiring.Signature):
    """What a core says of itself.

    Members
    -------
    busy : Out(1)
        From the transfer of a descriptor to that of the last word of its result.
    done : Out(1)
        Strobe, once an operation: its result begins to drain.
    error : Out(1)
        An illegal descriptor was dropped. Stays until reset.
    mvms : Out(32)
        Conversions that ended: two for an operation of two segments.
    cycles_total : Out(48)
        Cycles in which an operation was in progress.
    cycles_analog, cycles_hold : Out(48)
        Of these, cycles of operations at the pins, without and with ``hold``.
    """

    def __init__(self) -> None:
        super().__init__({
            "busy": Out(1), "done": Out(1), "error": Out(1), "mvms": Out(32),
            "cycles_total": Out(48), "cycles_analog": Out(48), "cycles_hold": Out(48),
        })  # fmt: skip


class Core(wiring.Component):
    """Runs matrix-vector products on a transposable macro.

    The next operation loads and the last result drains while one is at the pins. See ``docs/reference/core.md``.

    Members
    -------
    op : In(stream.Signature(OpLayout()))
        What to do. An illegal descriptor is dropped and sets ``status.error``. The operation uses the masks as they are
        when its descriptor is transferred.
    i : In(stream.Signature(32))
        Input codes of the operations in their order.
    o : Out(stream.Signature(32))
        Output codes.
    mask : In(stream.Signature(MaskLayout(cfg)))
        Writes of masks.
    macro : Out(TnsaPins(cfg.lines))
        The macro. Everything that it sees comes from flip-flops.
    status : Out(CoreStatus())
        State and counters.
    """

    op: stream.Interface
    i: stream.Interface
    o: stream.Interface
    mask: stream.Interface
    macro: Any
    status: Any

    def __init__(self, cfg: CoreConfig) -> None:
        self.cfg = cfg
        super().__init__({
            "op": In(stream.Signature(OpLayout())),
            "i": In(stream.Signature(unsigned(32))),
            "o": Out(stream.Signature(unsigned(32))),
            "mask": In(stream.Signature(MaskLayout(cfg))),
            "macro": Out(TnsaPins(cfg.lines)),
            "status": Out(CoreStatus()),
        })

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, pins = self.cfg, self.macro
        m.submodules.masks = masks = MaskStore(cfg)
        m.submodules.loader = loader = OperationLoader(cfg)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.line_registers = lines = LineRegisters(cfg)
        m.submodules.counters = counters = LineCounters(cfg)
        m.submodules.bank = bank = ResultBank(cfg)
        for inner, outer in ((masks.i, self.mask), (loader.op, self.op), (loader.i, self.i), (bank.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))

        staged = loader.staged.op
        m.d.comb += [
            # Masks are looked up while the codes load.
            masks.read.eq(loader.accept), loader.masks_ready.eq(masks.ready),
            masks.backward.eq(staged.backward),
            masks.wl_select.eq(staged.wl_select), masks.line_select.eq(staged.line_select),
            # The operation that waits, and its start.
            sequencer.full.eq(loader.full & ~masks.busy), sequencer.staged.eq(loader.staged),
            loader.take.eq(sequencer.take),
            lines.load.eq(sequencer.take), counters.load.eq(sequencer.take),
            lines.backward.eq(staged.backward), lines.in_signed.eq(staged.in_signed),
            lines.driven.eq(masks.driven), counters.enabled.eq(masks.enabled),
            *(line.eq(staged) for line, staged in zip(lines.planes, loader.planes, strict=True)),
            lines.drive.eq(sequencer.drive), lines.select.eq(sequencer.select), lines.clear.eq(sequencer.clear),
            # The converter.
            counters.cmp.eq(pins.cmp), counters.latch.eq(sequencer.latch), counters.step.eq(sequencer.step),
            counters.binary.eq(sequencer.plan.binary), counters.relu.eq(sequencer.plan.relu),
            counters.cap.eq(sequencer.plan.cap), counters.count.eq(sequencer.count), counters.scale.eq(sequencer.scale),
            sequencer.pending.eq(counters.pending),
            # The result.
            bank.finish.eq(sequencer.finish), bank.high.eq(sequencer.high), bank.two.eq(sequencer.plan.two),
            bank.negative.eq(counters.negative), bank.live.eq(counters.live), sequencer.free.eq(bank.free),
            *(taken.eq(bits) for taken, bits in zip(bank.bits, counters.bits, strict=True)),
        ]  # fmt: skip
        self._connect_pins(m, sequencer, lines)
        with m.If(sequencer.take):
            m.d.sync += pins.wl_en.eq(masks.wl)
        self._count(m, sequencer, loader.error, busy=loader.busy | sequencer.running | bank.busy)
        return m

    def _connect_pins(self, m: Module, sequencer: Sequencer, lines: LineRegisters) -> None:
        pins = self.macro
        m.d.comb += [
            pins.backward.eq(sequencer.plan.backward), pins.step_code.eq(sequencer.plan.step_code),
            pins.op_id.eq(sequencer.op_id),
            pins.bl_pos.eq(lines.bl_pos), pins.bl_neg.eq(lines.bl_neg),
            pins.sl_pos.eq(lines.sl_pos), pins.sl_neg.eq(lines.sl_neg),
            pins.precharge.eq(sequencer.precharge), pins.sample.eq(sequencer.sample), pins.plane.eq(sequencer.plane),
            pins.compare.eq(sequencer.compare), pins.latch.eq(sequencer.latch_pin),
            pins.decrement.eq(sequencer.decrement), pins.dec_scale.eq(sequencer.dec_scale),
            sequencer.hold.eq(pins.hold),
        ]  # fmt: skip

    def _count(self, m: Module, sequencer: Sequencer, error: Value, *, busy: Value) -> None:
        status = self.status
        m.d.comb += status.busy.eq(busy)
        m.d.sync += status.done.eq(sequencer.finish & ~sequencer.high)
        with m.If(error):
            m.d.sync += status.error.eq(1)
        with m.If(sequencer.finish):
            m.d.sync += status.mvms.eq(status.mvms + 1)
        with m.If(sequencer.running):
            m.d.sync += status.cycles_total.eq(status.cycles_total + 1)
        with m.If(sequencer.analog & ~self.macro.hold):
            m.d.sync += status.cycles_analog.eq(status.cycles_analog + 1)
        with m.If(sequencer.analog & self.macro.hold):
            m.d.sync += status.cycles_hold.eq(status.cycles_hold + 1)
