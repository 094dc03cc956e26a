"""Manual mode: registers in place of the sequencer and of write-verify at the macro's pins, for bring-up."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from mho.hw import ports
from mho.hw.block import Resettable
from mho.hw.core.shape import MASK_WORD
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.hw.kinds.tnsa.config import TnsaCoreConfig
from mho.hw.kinds.tnsa.pins import MacroPins
from mho.macro_models.integer.operation import STEP_WIDTH
from mho.macro_models.integer.pulse import AMPLITUDE_BITS, Polarity

PULSE_BITS = 24
"""Width of the duration of a pulse, in cycles."""

ROWS = ("positive", "negative", "word_lines")
"""Vectors of as many bits as there are lines, by their numbers."""

_PULSES = ((Polarity.SET, "set_pulse"), (Polarity.RESET, "reset_pulse"), (Polarity.FORM, "form_pulse"))
_STROBES = ("precharge", "sample", "compare", "decrement")


class ManualLevels(data.StructLayout):
    """Pins that stay as they are written. With ``write_mode`` the vectors are those of programming."""

    def __init__(self, *, write: bool) -> None:
        levels = {"backward": 1, "latch": 1, "plane": 3, "dec_scale": 3, "step_code": STEP_WIDTH}
        programming = {"write_mode": 1, "amplitude": AMPLITUDE_BITS, "pulse_cycles": PULSE_BITS}
        super().__init__(levels | (programming if write else {}))


class ManualStrobes(data.StructLayout):
    """Pins that are 1 for one cycle; ``pulse``: 1 + the :class:`Polarity` of a pulse that begins, 0: none."""

    def __init__(self, *, write: bool) -> None:
        super().__init__(dict.fromkeys(_STROBES, 1) | ({"verify": 1, "pulse": 2} if write else {}))


class ManualPort(ports.Bundle):
    """Manual mode as the core's surroundings see it, seen from the core."""

    request = ports.In(1)
    """Asks for the pins, and keeps them."""
    active = ports.Out(1)
    """The pins are those of this port: from when the core is idle after ``request`` until a cycle after it is gone."""
    levels = ports.In(lambda self: ManualLevels(write=self.verify_bits is not None))
    """Levels at the pins."""
    strobes = ports.In(lambda self: ManualStrobes(write=self.verify_bits is not None))
    """Taken while ``active``; at the pins one cycle later."""
    row_enable = ports.In(1)
    row = ports.In(range(len(ROWS)))
    row_word = ports.In(lambda self: self.words)
    row_data = ports.In(lambda self: min(self.lines, MASK_WORD))
    """Writes a word of a vector, see :data:`ROWS`. All are 0 when manual mode begins."""
    pulsing = ports.Out(1)
    """A pulse is on."""
    cmp_word = ports.In(lambda self: self.words)
    cmp_data = ports.Out(MASK_WORD)
    """A word of ``cmp``, as it was a cycle ago."""
    hold = ports.Out(1)
    verify_valid = ports.Out(1, when=lambda self: self.verify_bits is not None)
    verify_code = ports.Out(lambda self: self.verify_bits, when=lambda self: self.verify_bits is not None)
    """The other pins that the macro drives, as the core sees them."""

    def __init__(self, lines: int, verify_bits: int | None) -> None:
        self.lines, self.verify_bits = lines, verify_bits
        self.words = range(max(-(-lines // MASK_WORD), 2))
        super().__init__()


def manual_port(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> dict[str, Any]:
    """The member ``manual`` of a vector port, of a core that has it."""
    return {"manual": Out(ManualPort(cfg.lines, None if write is None else write.verify_bits))} if cfg.manual else {}


def manual_inputs(cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> dict[str, int]:
    """Widths of the inputs of manual mode, by their names in Verilog."""
    port: Any = ManualPort(cfg.lines, None if write is None else write.verify_bits)
    return {
        "_".join(("manual", *map(str, path))): len(Value.cast(value))
        for path, member, value in port.flatten(port.create())
        if member.flow is In
    }


class ManualPins(Resettable[TnsaCoreConfig]):
    """Between what drives the macro's pins and the macro: a flip-flop and gates for each pin.

    Their other side is still in manual mode, and theirs is 0 or still without it, so that a pin has no glitches. One
    pulse is on at a time, for ``pulse_cycles`` (whatever ``hold`` is), never beside a verify read, and only in
    ``write_mode``; it ends with ``active``, and when programming is forbidden. No line is driven both ways.

    Parameters
    ----------
    cfg, write
        Configurations of the core and of its write-verify, if it has that.
    """

    idle = ports.In(1)
    """Nothing else uses the pins, or will before ``active`` is seen."""
    enabled = ports.In(1)
    """Programming is enabled."""
    port = ports.Out(lambda self: ManualPort(self.cfg.lines, self.verify_bits))
    """Registers in manual mode."""
    core = ports.In(lambda self: MacroPins(self.cfg.lines, self.verify_bits))
    """What drives the pins otherwise."""
    macro: Any = ports.Out(lambda self: MacroPins(self.cfg.lines, self.verify_bits))
    """The macro, or the isolation of its programming."""
    programs = ports.Out(1)
    """In manual mode, the array is in write mode."""

    def __init__(self, cfg: TnsaCoreConfig, write: WriteVerifyConfig | None = None) -> None:
        self.write, self.verify_bits = write, None if write is None else write.verify_bits
        super().__init__(cfg)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port, core, macro = self.port, self.core, self.macro
        active = port.active
        with m.If(port.request & self.idle):
            m.d.sync += active.eq(1)
        with m.Elif(~port.request):
            m.d.sync += active.eq(0)
        rows = self._rows(m)
        programs = self.programs
        writes = self._pulses(m) if self.write is not None else {}
        lines: dict[str, Value] = {"wl_en": rows["word_lines"] & ~programs.replicate(self.cfg.lines)}
        for side, driven in (("bl", ~port.levels.backward), ("sl", port.levels.backward)):
            on = (driven & ~programs).replicate(self.cfg.lines)
            lines |= {f"{side}_pos": rows["positive"] & on, f"{side}_neg": rows["negative"] & ~rows["positive"] & on}
        if self.write is not None:
            on = programs.replicate(self.cfg.lines)
            lines |= {"write_wl": rows["word_lines"] & on, "write_bl": rows["positive"] & on,
                      "write_sl": rows["negative"] & on}
        strobes = {name: Signal(name=f"{name}_strobe") for name in _STROBES}
        multiplies = active & ~programs
        if self.write is not None:
            multiplies &= ~port.levels.write_mode
        m.d.sync += [strobe.eq(port.strobes[name] & multiplies) for name, strobe in strobes.items()]
        manual = lines | strobes | writes
        for name in ("backward", "latch", "plane", "dec_scale", "step_code"):
            manual[name] = port.levels[name]
        for name, member in self.macro.signature.members.items():
            inner, outer = getattr(core, name), getattr(macro, name)
            if member.flow is In:
                m.d.comb += inner.eq(outer)
            elif name in manual:
                m.d.comb += outer.eq(Mux(active, manual[name], inner))
            else:
                m.d.comb += outer.eq(inner)
        self._answers(m)
        return self.resets(m)

    def _rows(self, m: Module) -> dict[str, Value]:
        """The vectors, written word by word, and 0 outside of manual mode and when what they are for changes."""
        port, lines = self.port, self.cfg.lines
        clear = Signal()
        m.d.comb += clear.eq(~port.active)
        if self.write is not None:
            m.d.comb += clear.eq(~port.active | (port.levels.write_mode != self.programs))
        rows = {}
        for number, name in enumerate(ROWS):
            row = Signal(lines, name=name)
            for word in range(-(-lines // MASK_WORD)):
                bits = row[MASK_WORD * word : MASK_WORD * (word + 1)]
                with m.If(clear):
                    m.d.sync += bits.eq(0)
                with m.Elif(port.row_enable & (port.row == number) & (port.row_word == word)):
                    m.d.sync += bits.eq(port.row_data)
            rows[name] = row
        return rows

    def _pulses(self, m: Module) -> dict[str, Value]:
        """Pins of programming: one pulse, for its time."""
        port = self.port
        pins: dict[str, Any] = {pin: Signal(name=f"{pin}_on") for _, pin in _PULSES}
        verify = Signal(name="verify_strobe")
        timer = Signal(PULSE_BITS)
        allowed = Signal()
        m.d.comb += [
            allowed.eq(self.programs & port.request & port.levels.write_mode & self.enabled),
            port.pulsing.eq(Cat(*pins.values()).any()),
        ]
        m.d.sync += self.programs.eq(port.active & port.request & port.levels.write_mode)
        m.d.sync += verify.eq(port.strobes.verify & allowed & ~port.pulsing & (port.strobes.pulse == 0))
        with m.If(~allowed | (port.pulsing & (timer == 0))):
            m.d.sync += [pin.eq(0) for pin in pins.values()]
        with m.Elif(port.pulsing):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(port.strobes.pulse != 0):
            m.d.sync += timer.eq(port.levels.pulse_cycles - 1)
            m.d.sync += [pins[pin].eq(port.strobes.pulse == kind + 1) for kind, pin in _PULSES]
        amplitude = port.levels.amplitude & self.programs.replicate(AMPLITUDE_BITS)
        return {**pins, "verify": verify, "write_mode": self.programs, "amplitude": amplitude}

    def _answers(self, m: Module) -> None:
        """What the macro answers, for registers."""
        port, macro = self.port, self.macro
        words = [macro.cmp[low : low + MASK_WORD] for low in range(0, self.cfg.lines, MASK_WORD)]
        with m.Switch(port.cmp_word):
            for word, value in enumerate(words):
                with m.Case(word):
                    m.d.sync += port.cmp_data.eq(value)
        m.d.comb += port.hold.eq(macro.hold)
        if self.write is not None:
            m.d.comb += [port.verify_valid.eq(macro.verify_valid), port.verify_code.eq(macro.verify_code)]
