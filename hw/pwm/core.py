"""One phase-change core at vector level: codes in, codes out, the macro's pins."""

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from hw.block import Resettable
from hw.core.layout import OpLayout, WordsLayout
from hw.core.masks import MaskStore
from hw.core.port import VectorPort
from hw.core.tally import tally
from hw.pwm.config import PwmCoreConfig
from hw.pwm.digital import DigitalUnit, ResultLayout
from hw.pwm.loader import PulseLoader
from hw.pwm.pins import PwmPins
from hw.pwm.pulses import PulseModulator
from hw.pwm.sequencer import PwmSequencer
from hw.pwm.settings import ColumnSettings, SettingsLayout

__all__ = ["PwmCore", "pwm_port"]


def pwm_port(cfg: PwmCoreConfig) -> VectorPort:
    """The vector port of a phase-change core: writes of masks are writes of all settings."""
    return VectorPort(OpLayout(), SettingsLayout(cfg), words=WordsLayout(cfg.output_words) if cfg.ranged else None)


class PwmCore(Resettable):
    """Runs matrix-vector products on a phase-change macro.

    The next operation loads and the last result drains while one is at the pins.

    Parameters
    ----------
    cfg
        Configuration of the core.

    Members
    -------
    <the members of :func:`pwm_port`>
        The vector port.
    macro : Out(PwmPins(cfg))
        The macro. Everything that it sees comes from flip-flops.
    """

    verilog_name = "digital"

    op: stream.Interface
    i: stream.Interface
    o: stream.Interface
    mask: stream.Interface
    macro: Any
    status: Any
    words: Any

    def __init__(self, cfg: PwmCoreConfig) -> None:
        self.cfg = cfg
        self.pins = PwmPins(cfg)
        self.port = pwm_port(cfg)
        super().__init__({**self.port.members, "macro": Out(self.pins)})

    def elaborate(self, platform: object) -> Any:
        m = Module()
        cfg, pins = self.cfg, self.macro
        m.submodules.settings = settings = ColumnSettings(cfg)
        m.submodules.masks = masks = MaskStore(cfg)
        m.submodules.loader = loader = PulseLoader(cfg)
        m.submodules.sequencer = sequencer = PwmSequencer(cfg)
        m.submodules.modulator = modulator = PulseModulator(cfg)
        m.submodules.digital_unit = unit = DigitalUnit(cfg)
        for inner, outer in ((settings.i, self.mask), (loader.op, self.op), (loader.i, self.i), (unit.o, self.o)):
            wiring.connect(m, inner, wiring.flipped(outer))
        wiring.connect(m, settings.mask, masks.i)
        busy = loader.busy | sequencer.running | unit.busy
        m.d.comb += [
            # Masks are looked up while the codes load.
            masks.read.eq(loader.accept), loader.masks_ready.eq(masks.ready & settings.ready),
            masks.wl_select.eq(loader.staged.wl_select), masks.line_select.eq(loader.staged.line_select),
            settings.idle.eq(~busy), settings.row.eq(unit.row), loader.range_code.eq(settings.range_code),
            sequencer.full.eq(loader.full & ~masks.busy), loader.take.eq(sequencer.take),
            modulator.load.eq(sequencer.take), modulator.begins.eq(sequencer.begins), modulator.step.eq(sequencer.step),
            modulator.positive.eq(sequencer.positive), modulator.negative.eq(sequencer.negative),
            modulator.index.eq(sequencer.index), sequencer.hold.eq(pins.hold),
            *(one.eq(plane) for one, plane in zip(modulator.planes, loader.planes, strict=True)),
            unit.finish.eq(sequencer.finish), unit.columns.eq(settings.columns), sequencer.free.eq(unit.free),
            unit.count_pos.eq(pins.count_pos), unit.count_neg.eq(pins.count_neg),
        ]
        self._run(m, masks, loader, sequencer, unit)
        self._connect_pins(m, settings, sequencer, modulator, unit)
        self._count(m, sequencer, loader.error, busy)
        return self.resets(m)

    def _run(self, m: Module, masks: Any, loader: Any, sequencer: Any, unit: Any) -> None:
        """What goes with an operation from where it waits to the pins and to its result."""
        running = Signal(ResultLayout(self.cfg), reset_less=True)
        enabled = Signal(self.cfg.lines, reset_less=True)
        words = Signal(WordsLayout(self.cfg.output_words), reset_less=True)
        if self.cfg.ranged:
            with m.If(loader.accept):
                m.d.sync += words.eq(self.words)
        else:
            m.d.comb += words.last.eq(self.cfg.output_words - 1)
        with m.If(sequencer.take):
            m.d.sync += [
                running.out_bits.eq(loader.staged.out_bits), running.relu.eq(loader.staged.relu),
                running.words.eq(words), enabled.eq(masks.enabled), self.macro.wl_en.eq(masks.wl),
                self.macro.step_code.eq(loader.step_code), self.macro.shift.eq(loader.shift),
                self.macro.op_id.eq(loader.staged.op_id),
            ]
        m.d.comb += [unit.result.eq(running), unit.enabled.eq(enabled)]

    def _connect_pins(self, m: Module, settings: Any, sequencer: Any, modulator: Any, unit: Any) -> None:
        pins = self.macro
        m.d.comb += [
            pins.row_pos.eq(modulator.pos), pins.row_neg.eq(modulator.neg), pins.count_row.eq(unit.row),
            *(getattr(pins, name).eq(getattr(sequencer, name))
              for name in ("start", "window", "device_pos", "device_neg", "capture")),
            *(getattr(pins, name).eq(getattr(settings, name)) for name in ("trim_write", "trim_column", "trim_data")),
        ]

    def _count(self, m: Module, sequencer: Any, error: Value, busy: Value) -> None:
        status, hold = self.status, self.macro.hold
        m.d.comb += status.busy.eq(busy)
        m.d.sync += status.done.eq(sequencer.finish)
        with m.If(error):
            m.d.sync += status.error.eq(1)
        with m.If(sequencer.finish):
            m.d.sync += status.mvms.eq(status.mvms + 1)
        tally(m, status.cycles_total, sequencer.running, "total")
        tally(m, status.cycles_analog, sequencer.analog & ~hold, "analog")
        tally(m, status.cycles_hold, sequencer.analog & hold, "hold")
