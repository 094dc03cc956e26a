"""One transposable core at vector level: codes in, codes out, the macro's pins."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib import wiring

from mho.hw.block import Resettable
from mho.hw.core.digital.synchroniser import Synchroniser
from mho.hw.core.layout import OpLayout, WordsLayout
from mho.hw.core.masks import MaskLayout, MaskStore
from mho.hw.core.port import VectorPort, count_operations, join
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.core.write_verify.engine import WritePort
from mho.hw.core.write_verify.joined import WritesCells
from mho.hw.kinds.tnsa.bring_up.manual import ManualPins, manual_port
from mho.hw.kinds.tnsa.bring_up.trim import trim_port
from mho.hw.kinds.tnsa.config import LIMITS, OPERATIONS, TnsaCoreConfig
from mho.hw.kinds.tnsa.inputs import LineRegisters, OperationLoader
from mho.hw.kinds.tnsa.pins import MacroPins, TnsaPins
from mho.hw.kinds.tnsa.results import LineCounters, ResultBank
from mho.hw.kinds.tnsa.sequencer import Sequencer
from mho.hw.macro.contract import WritePins
from mho.hw.ports import In, Out


def tnsa_port(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> VectorPort:
    """The vector port of a transposable core: :class:`WritePort` if it programs its cells, ``trim``, ``manual``."""
    engine = None if write is None else WritePort(write)
    words = WordsLayout(cfg.output_words) if cfg.ranged else None
    return VectorPort(OpLayout(), MaskLayout(cfg), engine, trim_port(cfg, write), manual_port(cfg, write), words)


class PinSynchroniser(Synchroniser):
    """The synchroniser of the pins that ``cfg`` names; ``verify``: the macro has those of programming."""

    def __init__(self, cfg: TnsaCoreConfig, *, verify: bool) -> None:
        widths = {"cmp": cfg.lines, "hold": 1} | ({"verify_valid": 1} if verify else {})
        super().__init__({name: width for name, width in widths.items() if name in cfg.synchronise})
        self.cfg, self.verify = cfg, verify


class TnsaCore(WritesCells, Resettable[TnsaCoreConfig]):
    """Runs matrix-vector products on a transposable macro, and programs its cells.

    The next operation loads and the last result drains while one is at the pins. See ``docs/reference/core.md``. The
    array belongs to one at a time: a run of write-verify begins when the operation in progress has ended, and an
    operation begins when no run is on or waits; manual mode (``cfg.manual``) when the core is idle, and nothing else
    begins before its end.

    Parameters
    ----------
    write
        Configuration of write-verify. None: the core does not program its cells.

    Members
    -------
    <the members of :func:`mho.hw.kinds.tnsa.core.tnsa_port`>
        The vector port.
    """

    verilog_name = "digital"

    programming_enable = In(1, when=lambda self: self.write is not None, init=1)
    """If the core programs its cells: while it is 0, whatever the clock, the reset and the registers do, all that the
    macro sees of programming is 0. It may change at any time and for any time: the engine sees that it fell two cycles
    later, and until a run that was on has ended what the macro sees stays 0."""
    macro: Any = Out(lambda self: self.pins)
    """The macro. Everything that it sees comes from flip-flops, and of programming from flip-flops and one gate."""

    def __init__(self, cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        if write is not None and write.lines != cfg.lines:
            raise ValueError(f"lines of write-verify must be {cfg.lines}, not {write.lines}")
        if write is not None and (write.trim, write.synchronise) != (cfg.trim, cfg.synchronise):
            raise ValueError("trim and synchronise of write-verify must be those of the core")
        self.write = write
        self.pins = MacroPins(cfg.lines, None if write is None else write.verify_bits)
        self.port = tnsa_port(cfg, write)
        super().__init__(cfg, self.port.members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg = self.cfg
        m.submodules.masks = masks = MaskStore(cfg)
        m.submodules.loader = loader = OperationLoader(cfg)
        m.submodules.sequencer = sequencer = Sequencer(cfg)
        m.submodules.line_registers = lines = LineRegisters(cfg)
        m.submodules.counters = counters = LineCounters(cfg)
        m.submodules.bank = bank = ResultBank(cfg)
        for inner, outer in ((masks.i, self.mask), (loader.op, self.op), (loader.i, self.i), (bank.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))

        self._inputs = self._synchronised(m)
        # What drives the pins, unless they are driven by hand.
        self._pins, self._by_hand, by_hand = self._manual(m)
        staged = loader.staged.op
        writing = self.add_write_verify(
            m, running=sequencer.running, hold=self._inputs["hold"], verify_valid=self._inputs.get("verify_valid"),
            free=~self.manual.active if cfg.manual else 1,
        )
        m.d.comb += [
            # Masks are looked up while the codes load.
            masks.read.eq(loader.accept), loader.masks_ready.eq(masks.ready),
            masks.backward.eq(staged.backward),
            masks.wl_select.eq(staged.wl_select), masks.line_select.eq(staged.line_select),
            # The operation that waits, and its start.
            sequencer.full.eq(loader.full & ~masks.busy & ~writing & ~by_hand), sequencer.staged.eq(loader.staged),
            # Both segments are loaded from where the operation waits, so that it waits until the second one starts.
            loader.take.eq(sequencer.load & ~sequencer.upper),
            lines.load.eq(sequencer.load), lines.upper.eq(sequencer.upper), counters.load.eq(sequencer.take),
            lines.backward.eq(staged.backward), lines.in_signed.eq(staged.in_signed),
            lines.driven.eq(masks.driven), counters.enabled.eq(masks.enabled),
            *(line.eq(staged) for line, staged in zip(lines.planes, loader.planes, strict=True)),
            lines.drive.eq(sequencer.drive), lines.select.eq(sequencer.select), lines.clear.eq(sequencer.clear),
            # The converter.
            counters.cmp.eq(self._inputs["cmp"]), counters.latch.eq(sequencer.latch), counters.step.eq(sequencer.step),
            counters.binary.eq(sequencer.plan.binary), counters.relu.eq(sequencer.plan.relu),
            counters.cap.eq(sequencer.plan.cap), counters.count.eq(sequencer.count), counters.scale.eq(sequencer.scale),
            sequencer.pending.eq(counters.pending),
            # The result.
            bank.finish.eq(sequencer.finish), bank.high.eq(sequencer.high), bank.two.eq(sequencer.plan.two),
            bank.negative.eq(counters.negative), bank.live.eq(counters.live), bank.cap.eq(counters.held_cap),
            *(removed.eq(bits) for removed, bits in zip(bank.removed, counters.removed, strict=True)),
            sequencer.free.eq(bank.free),
        ]
        if cfg.ranged:
            self._pass_words(m, loader, sequencer, bank)
        self._connect_pins(m, sequencer, lines)
        if cfg.trim:
            m.d.comb += [sequencer.durations[name].eq(self.trim[name]) for name in OPERATIONS]
            m.d.comb += [getattr(loader, name).eq(self.trim[name]) for name in LIMITS]
        with m.If(sequencer.take):
            m.d.sync += self._pins.wl_en.eq(masks.wl)
        busy = loader.busy | sequencer.running | bank.busy
        if self._by_hand is not None:
            m.d.comb += self._by_hand.idle.eq(~busy & ~writing)
        count_operations(
            m, self.status, sequencer, hold=self._inputs["hold"], busy=busy, error=loader.error,
            converted=sequencer.finish, done=sequencer.finish & ~sequencer.high,
        )
        return self.resets(m)

    def _pass_words(self, m: Module, loader: OperationLoader, sequencer: Sequencer, bank: ResultBank) -> None:
        """The words of an operation go with it: where it waits, at the pins, to the bank."""
        waiting = Signal.like(self.words, reset_less=True)
        running = Signal.like(self.words, reset_less=True)
        with m.If(loader.accept):
            m.d.sync += waiting.eq(self.words)
        with m.If(sequencer.take):
            m.d.sync += running.eq(waiting)
        m.d.comb += bank.words.eq(running)

    def _synchronised(self, m: Module) -> dict[str, Value]:
        """What the core sees of each pin that the macro drives."""
        driven = (name for name, member in self.pins.members.items() if member.flow is wiring.In)
        pins = {name: getattr(self.macro, name) for name in driven}
        if not self.cfg.synchronise:
            return pins
        m.submodules.synchroniser = synchroniser = PinSynchroniser(self.cfg, verify=self.write is not None)
        m.d.comb += [getattr(synchroniser.pins, name).eq(pins[name]) for name in synchroniser.widths]
        return pins | {name: getattr(synchroniser, name) for name in synchroniser.widths}

    def _manual(self, m: Module) -> tuple[Any, Any, Value]:
        """Pins for the core to drive, what drives those of the macro by hand, and whether it does."""
        if not self.cfg.manual:
            return self.macro, None, Const(0)
        m.submodules.manual = manual = ManualPins(self.cfg, self.write)
        wiring.connect(m, outside=wiring.flipped(self.manual), inside=manual.port)
        join(m, TnsaPins(self.cfg.lines), manual.macro, self.macro, but=("cmp", "hold"))
        m.d.comb += [manual.macro.cmp.eq(self._inputs["cmp"]), manual.macro.hold.eq(self._inputs["hold"])]
        return manual.core, manual, manual.port.active

    def _connect_pins(self, m: Module, sequencer: Sequencer, lines: LineRegisters) -> None:
        pins = self._pins
        m.d.comb += [
            pins.backward.eq(sequencer.plan.backward), pins.step_code.eq(sequencer.plan.step_code),
            pins.op_id.eq(sequencer.op_id),
            pins.bl_pos.eq(lines.bl_pos), pins.bl_neg.eq(lines.bl_neg),
            pins.sl_pos.eq(lines.sl_pos), pins.sl_neg.eq(lines.sl_neg),
            pins.precharge.eq(sequencer.precharge), pins.sample.eq(sequencer.sample), pins.plane.eq(sequencer.plane),
            pins.compare.eq(sequencer.compare), pins.latch.eq(sequencer.latch_pin),
            pins.decrement.eq(sequencer.decrement), pins.dec_scale.eq(sequencer.dec_scale),
            sequencer.hold.eq(self._inputs["hold"]),
        ]

    def _connect_engine(self, m: Module, engine: Any, isolation: Any, granted: Value) -> Value:
        """See :class:`WritesCells`; manual mode is between both."""
        if self._by_hand is None:
            return super()._connect_engine(m, engine, isolation, granted)
        manual, pins = self._by_hand, WritePins(engine.cfg.lines, engine.cfg.verify_bits)
        join(m, pins, engine.macro, manual.core)
        join(m, pins, manual.macro, isolation.engine)
        m.d.comb += manual.enabled.eq(granted)
        return engine.status.busy | manual.programs
