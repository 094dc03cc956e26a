"""One phase-change core at vector level: codes in, codes out, the macro's pins."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from mho.hw.core.digital.groups import ColumnGroups
from mho.hw.core.layout import CODE_WIDTH, OpLayout, WordsLayout
from mho.hw.core.masks import MaskStore
from mho.hw.core.port import VectorPort
from mho.hw.core.row_core import CoreParts, GroupedCore
from mho.hw.kinds.pwm.config import PwmCoreConfig
from mho.hw.kinds.pwm.engine.engine import CommandEngine
from mho.hw.kinds.pwm.engine.layout import COMMAND_MODE, Command
from mho.hw.kinds.pwm.loader import PulseLoader, PulseModulator, PwmSequencer
from mho.hw.kinds.pwm.pins import PwmPins, engine_pins
from mho.hw.kinds.pwm.settings import COLUMN_BITS, ColumnSettings, SettingsLayout
from mho.hw.ports import In
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


class PwmCore(GroupedCore):
    """Runs matrix-vector products on a phase-change macro.

    The next operation loads and the last result drains while one is at the pins.

    Members
    -------
    <the members of :func:`pwm_port`>
        The vector port.
    """

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.pins = PwmPins(cfg)
        self.port = pwm_port(cfg)
        super().__init__(cfg, self.port.members)

    def parts(self) -> CoreParts:
        cfg = self.cfg
        return CoreParts(MaskStore(cfg), PulseLoader(cfg), PwmSequencer(cfg), PulseModulator(cfg), DigitalUnit(cfg))

    def followed(self, parts: CoreParts) -> dict[str, Value]:
        loader = parts.loader
        return {
            "wl_en": parts.masks.wl, "step_code": loader.step_code, "shift": loader.shift, "op_id": loader.staged.op_id,
        }

    def connect(self, m: Module, parts: CoreParts, busy: Value) -> tuple[Value, Value]:
        (masks, loader, sequencer, modulator, unit), pins = parts, self.macro
        m.submodules.settings = settings = ColumnSettings(self.cfg)
        wiring.connect(m, settings.i, wiring.flipped(self.mask))
        wiring.connect(m, settings.mask, masks.i)
        m.d.comb += [
            loader.masks_ready.eq(masks.ready & settings.ready),
            settings.idle.eq(~busy), settings.row.eq(unit.row), loader.range_code.eq(settings.range_code),
            modulator.load.eq(sequencer.take), unit.columns.eq(settings.columns),
            *(getattr(modulator, name).eq(getattr(sequencer, name))
              for name in ("begins", "step", "positive", "negative", "index")),
            pins.row_pos.eq(modulator.pos), pins.row_neg.eq(modulator.neg),
            *(getattr(pins, name).eq(getattr(sequencer, name))
              for name in ("start", "window", "device_pos", "device_neg", "capture")),
            *(getattr(pins, name).eq(getattr(settings, name)) for name in ("trim_write", "trim_column", "trim_data")),
        ]
        return (self._command if self.cfg.engine else self._plain)(m, settings, parts)

    def connect_pins(self, m: Module, unit: Any) -> None:
        """Counters of the group that is read."""
        m.d.comb += [
            self.macro.count_row.eq(unit.row),
            unit.count_pos.eq(self.macro.count_pos), unit.count_neg.eq(self.macro.count_neg),
        ]

    def _plain(self, m: Module, settings: Any, parts: CoreParts) -> tuple[Value, Value]:
        """Without an engine: conversions are those of products."""
        masks, loader, sequencer, modulator, unit = parts
        for inner, outer in ((loader.i, self.i), (unit.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))
        m.d.comb += [
            sequencer.full.eq(loader.full & ~masks.busy), loader.take.eq(sequencer.take),
            *(target.eq(plane) for target, plane in zip(modulator.planes, loader.planes, strict=True)),
        ]
        return sequencer.finish, sequencer.finish

    def _command(self, m: Module, settings: Any, parts: CoreParts) -> tuple[Value, Value]:
        """With an engine: while it carries out a command, conversions, registers and both streams are its own."""
        masks, loader, sequencer, _, unit = parts
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
        self._array(m, parts, engine)
        return sequencer.finish & ~engine.busy, (sequencer.finish & ~engine.busy) | engine.gives

    def _array(self, m: Module, parts: CoreParts, engine: Any) -> None:
        """Rows and word lines of the engine's conversions: a vector and all of them, one device, or none."""
        cfg, (_, loader, sequencer, modulator, _) = self.cfg, parts
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
