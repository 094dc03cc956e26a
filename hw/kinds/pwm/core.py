"""One phase-change core at vector level: codes in, codes out, the macro's pins."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from mho.hw.block import Resettable
from mho.hw.core.digital.groups import ColumnGroups, follow_operation
from mho.hw.core.layout import CODE_WIDTH, OpLayout, WordsLayout
from mho.hw.core.masks import MaskStore
from mho.hw.core.port import VectorMembers, VectorPort, count_operations
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.engine import CommandEngine
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Command
from mho.hw.kinds.pwm.loader import PulseLoader, PulseModulator
from mho.hw.kinds.pwm.pins import PwmPins, engine_pins
from mho.hw.kinds.pwm.sequencer import PwmSequencer
from mho.hw.kinds.pwm.settings import COLUMN_BITS, ColumnSettings, SettingsLayout
from mho.hw.ports import In, Out
from mho.macro_models.integer.pwm.converter import COUNTER_BITS, PRODUCT_BITS
from mho.macro_models.integer.pwm.operation import MAGNITUDE_BITS


class DigitalUnit(ColumnGroups):
    """Reads the captured counters of a macro, ``cfg.lanes`` columns a cycle, and gives out two codes a word.

    See :class:`ColumnGroups`. A code is that of :meth:`mho.macro_models.integer.pwm.converter.DigitalUnits.compute`; 0
    where a column is not enabled. The ``cfg.output_words`` cycles of two lanes (128 of 256 columns) hide behind the 133
    cycles of a product of one window.
    """

    stages = ("read", "product")
    columns = In(lambda self: self.cfg.lanes * COLUMN_BITS)
    """Gains and offsets of the group of the last cycle."""
    count_pos = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    count_neg = In(lambda self: self.cfg.lanes * COUNTER_BITS)
    """Its counters."""

    def exact(self, m: Module, group: Value) -> list[Signal]:
        """One cycle after its counters were at the pins."""
        codes = list[Signal]()
        for k in range(self.cfg.lanes):
            gain, offset = self.columns.word_select(k, COLUMN_BITS)[:8], self.columns.word_select(k, COLUMN_BITS)[8:]
            product = Signal(signed(COUNTER_BITS + 9), name=f"product_{k}")
            moved = Signal(signed(8), name=f"offset_{k}")
            exact = Signal(signed(CODE_WIDTH), name=f"exact_{k}")
            difference = (self.count_pos.word_select(k, COUNTER_BITS).as_unsigned()
                          - self.count_neg.word_select(k, COUNTER_BITS).as_unsigned())
            m.d.sync += [product.eq(difference * gain), moved.eq(offset.as_signed())]
            m.d.comb += exact.eq(((product + (1 << PRODUCT_BITS - 1)) >> PRODUCT_BITS) + moved)
            codes.append(exact)
        return codes


def pwm_port(cfg: PwmCoreConfig) -> VectorPort:
    """The vector port of a phase-change core: writes of masks are writes of all settings."""
    return VectorPort(OpLayout(), SettingsLayout(cfg), words=WordsLayout(cfg.output_words) if cfg.ranged else None)


class PwmCore(Resettable[PwmCoreConfig], VectorMembers):
    """Runs matrix-vector products on a phase-change macro.

    The next operation loads and the last result drains while one is at the pins.

    Members
    -------
    <the members of :func:`pwm_port`>
        The vector port.
    """

    verilog_name = "digital"

    macro: Any = Out(lambda self: self.pins)
    """The macro. Everything that it sees comes from flip-flops."""

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.pins = PwmPins(cfg)
        self.port = pwm_port(cfg)
        super().__init__(cfg, self.port.members)

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg, pins = self.cfg, self.macro
        m.submodules.settings = settings = ColumnSettings(cfg)
        m.submodules.masks = masks = MaskStore(cfg)
        m.submodules.loader = loader = PulseLoader(cfg)
        m.submodules.sequencer = sequencer = PwmSequencer(cfg)
        m.submodules.modulator = modulator = PulseModulator(cfg)
        m.submodules.digital_unit = unit = DigitalUnit(cfg)
        for inner, outer in ((settings.i, self.mask), (loader.op, self.op)):
            wiring.connect(m, inner, wiring.flipped(outer))
        wiring.connect(m, settings.mask, masks.i)
        busy = loader.busy | sequencer.running | unit.busy
        m.d.comb += [
            # Masks are looked up while the codes load.
            masks.read.eq(loader.accept), loader.masks_ready.eq(masks.ready & settings.ready),
            masks.wl_select.eq(loader.staged.wl_select), masks.line_select.eq(loader.staged.line_select),
            settings.idle.eq(~busy), settings.row.eq(unit.row), loader.range_code.eq(settings.range_code),
            modulator.load.eq(sequencer.take), modulator.begins.eq(sequencer.begins), modulator.step.eq(sequencer.step),
            modulator.positive.eq(sequencer.positive), modulator.negative.eq(sequencer.negative),
            modulator.index.eq(sequencer.index), sequencer.hold.eq(pins.hold),
            unit.finish.eq(sequencer.finish), unit.columns.eq(settings.columns), sequencer.free.eq(unit.free),
            unit.count_pos.eq(pins.count_pos), unit.count_neg.eq(pins.count_neg),
        ]
        follow_operation(m, self, masks, loader, sequencer, unit, {
            "wl_en": masks.wl, "step_code": loader.step_code, "shift": loader.shift, "op_id": loader.staged.op_id,
        })
        if cfg.engine:
            ends, gives = self._command(m, settings, masks, loader, sequencer, modulator, unit)
        else:
            ends, gives = self._plain(m, masks, loader, sequencer, modulator, unit)
        self._connect_pins(m, settings, sequencer, modulator, unit)
        count_operations(
            m, self.status, sequencer, hold=pins.hold, busy=busy, error=loader.error, converted=ends, done=gives
        )
        return self.resets(m)

    def _plain(self, m: Module, masks: Any, loader: Any, sequencer: Any, modulator: Any, unit: Any) -> tuple[Any, Any]:
        """Without an engine: conversions are those of products."""
        for inner, outer in ((loader.i, self.i), (unit.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))
        m.d.comb += [
            sequencer.full.eq(loader.full & ~masks.busy), loader.take.eq(sequencer.take),
            *(target.eq(plane) for target, plane in zip(modulator.planes, loader.planes, strict=True)),
        ]
        return sequencer.finish, sequencer.finish

    def _command(
        self, m: Module, settings: Any, masks: Any, loader: Any, sequencer: Any, modulator: Any, unit: Any
    ) -> tuple[Any, Any]:
        """With an engine: while it carries out a command, conversions, registers and both streams are its own."""
        engine: Any = CommandEngine(self.cfg)
        m.submodules.engine = engine
        command = Signal()
        free = Signal()
        m.d.comb += [
            command.eq(loader.staged.mode == COMMAND_MODE),
            free.eq(loader.full & ~masks.busy), engine.op.eq(loader.staged),
            engine.go.eq(free & command & ~engine.busy & ~sequencer.running & ~unit.busy),
            sequencer.full.eq(Mux(engine.busy, engine.convert & ~sequencer.finish, free & ~command)),
            sequencer.single.eq(engine.verify), loader.take.eq(Mux(command, engine.done, sequencer.take)),
            unit.discard.eq(engine.busy), unit.seek.eq(engine.seek), unit.wanted.eq(engine.row),
            engine.converted.eq(sequencer.finish & engine.busy), engine.counts_pos.eq(self.macro.count_pos),
            engine.counts_neg.eq(self.macro.count_neg), engine.columns.eq(settings.columns),
            settings.column.eq(engine.column), engine.trim.eq(settings.trim), settings.own.eq(engine.setting),
            engine.range_code.eq(settings.range_code), engine.writing.eq(settings.writing),
            loader.i.valid.eq(self.i.valid), loader.i.payload.eq(self.i.payload),
            engine.i.valid.eq(self.i.valid), engine.i.payload.eq(self.i.payload),
            self.i.ready.eq(loader.i.ready | engine.i.ready),
            self.o.valid.eq(unit.o.valid | engine.o.valid), unit.o.ready.eq(self.o.ready),
            engine.o.ready.eq(self.o.ready),
            self.o.payload.eq(Mux(engine.o.valid, engine.o.payload, unit.o.payload)),
            *(getattr(self.macro, name).eq(getattr(engine, name)) for name in engine_pins(self.cfg)),
        ]
        self._array(m, loader, sequencer, modulator, engine)
        return sequencer.finish & ~engine.busy, (sequencer.finish & ~engine.busy) | engine.gives

    def _array(self, m: Module, loader: Any, sequencer: Any, modulator: Any, engine: Any) -> None:
        """Rows and word lines of the engine's conversions: a vector and all of them, one device, or none."""
        cfg = self.cfg
        cells = (cfg.cells - 1).bit_length()
        line = loader.staged.op_id[16 : 16 + (cfg.mask_lines - 1).bit_length()]
        vector = engine.busy & (loader.staged.wl_select == Command.MEASURE)
        row = Signal(cfg.lines)
        negative = Signal()
        m.d.comb += [
            negative.eq(line[cells - 1]), sequencer.second.eq(negative),
            row.eq(Mux(engine.verify, 1 << line[cells:], 0)),
        ]
        for k, (target, plane) in enumerate(zip(modulator.planes, loader.planes, strict=True)):
            single = row if k < MAGNITUDE_BITS else row & negative.replicate(cfg.lines)
            m.d.comb += target.eq(Mux(engine.busy & ~vector, single, plane))
        with m.If(engine.go):
            m.d.sync += self.macro.wl_en.eq(Mux(loader.staged.wl_select == Command.PROGRAM, 1 << line, 0))
        with m.If(sequencer.take):
            m.d.sync += [
                self.macro.reference.eq(engine.reference), self.macro.reference_pos.eq(engine.reference_pos),
                self.macro.reference_neg.eq(engine.reference_neg), self.macro.verify.eq(engine.verify),
            ]
            with m.If(engine.busy):
                m.d.sync += [
                    self.macro.op_id.eq(loader.staged.op_id | engine.offset),
                    self.macro.wl_en.eq(Mux(vector, (1 << cfg.mask_lines) - 1, self.macro.wl_en)),
                ]

    def _connect_pins(self, m: Module, settings: Any, sequencer: Any, modulator: Any, unit: Any) -> None:
        pins = self.macro
        m.d.comb += [
            pins.row_pos.eq(modulator.pos), pins.row_neg.eq(modulator.neg), pins.count_row.eq(unit.row),
            *(getattr(pins, name).eq(getattr(sequencer, name))
              for name in ("start", "window", "device_pos", "device_neg", "capture")),
            *(getattr(pins, name).eq(getattr(settings, name)) for name in ("trim_write", "trim_column", "trim_data")),
        ]
