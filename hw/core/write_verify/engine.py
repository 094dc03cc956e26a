"""Write-verify: programs the cells of a macro to targets, by pulses of rising amplitude."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream

from mho.hw import ports
from mho.hw.block import named
from mho.hw.core.counting import tally
from mho.hw.core.write_verify.blind import BlindRuns
from mho.hw.core.write_verify.config import COUNT_BITS, ParameterLayout, WriteVerifyConfig, write_pins
from mho.hw.core.write_verify.decision import Decision, FaultMap, RegisterCheck, RunLayout
from mho.hw.macro.contract import PASS_BITS
from mho.hw.ports import Bundle
from mho.macro_models.integer.pulse import Polarity

_TIMER_BITS = 32


class TargetLayout(data.StructLayout):
    """Verify code that a cell shall have. A cell with ``skip`` is left alone.

    With ``cfg.pulses`` it is a record of a blind run (``p.blind``), too: ``code`` pulses (0 counts as 1), RESET ones
    with ``reset``, for the cell at ``row`` (bit line) and ``col`` (source line); ``skip`` ends the run.
    """

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        col, row = cfg.cell_bits
        super().__init__({
            "code": cfg.verify_bits, "skip": 1, **({"reset": 1, "col": col, "row": row} if cfg.pulses else {}),
        })


class CellLayout(data.StructLayout):
    """How a cell ended in a pass: its last verify code, whether it was given up, its pulses. All 0 if skipped."""

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        super().__init__({"code": cfg.verify_bits, "fault": 1, "pulses": COUNT_BITS})


class WriteVerifyStatus(Bundle):
    """State and counters, which start from 0 with every run."""

    busy = ports.Out(1)
    """A run is on."""
    done = ports.Out(1)
    """Strobe: it has ended."""
    error = ports.Out(1)
    """The last start was refused, because the registers are illegal or programming is not enabled; or a run ended
    because it was no longer."""
    enabled = ports.Out(1)
    """Programming is enabled."""
    write_pass = ports.Out(PASS_BITS)
    """Number of the pass, from 0. Stays after the run."""
    sets = ports.Out(32)
    resets = ports.Out(32)
    forms = ports.Out(32)
    reads = ports.Out(32)
    """Pulses of each kind, and verify reads."""
    pulsed = ports.Out(32)
    faults = ports.Out(32)
    """Cells that needed pulses in this pass, and cells that were given up."""
    cycles_total = ports.Out(48)
    cycles_hold = ports.Out(48)
    """Cycles of the run, and those of it frozen by the macro."""


class WritePort(Bundle):
    """What the vector port of a core has if it programs its cells, seen from the core."""

    target = ports.In(lambda self: stream.Signature(TargetLayout(self.cfg)))
    """What to program, see :class:`WriteVerify`."""
    cell = ports.Out(lambda self: stream.Signature(CellLayout(self.cfg)))
    """How each cell ended."""
    parameters = ports.In(lambda self: ParameterLayout(self.cfg))
    """Parameters of a run. They must not change while ``write_status.busy``."""
    write_start = ports.In(1)
    write_stop = ports.In(1)
    """Begin a run (a strobe); end it after the cell that is on."""
    map_addr = ports.In(lambda self: range(self.cfg.map_words))
    map_data = ports.Out(lambda self: self.cfg.map_width)
    """Fault map."""
    write_status = ports.Out(WriteVerifyStatus())
    """State and counters of write-verify; ``busy`` from the start on, also while it waits for the array."""

    def __init__(self, cfg: WriteVerifyConfig) -> None:
        self.cfg = cfg
        super().__init__()


class WriteVerify(BlindRuns):
    """Programs an array cell by cell, row by row, in several passes. See ``docs/design/write-verify.md``.

    The numpy reference is :func:`mho.hw.core.write_verify.reference.program`, which also has the cycles.

    Members
    -------
    p : In(ParameterLayout(cfg))
        The registers. They must not change while ``status.busy``.
    start : In(1)
        Strobe: begin a run. Ignored while one is on.
    stop : In(1)
        End the run after the cell that is on; a read that the macro does not answer counts as a fault.
    i : In(stream.Signature(TargetLayout(cfg)))
        Targets of all cells, row by row, once for each pass.
    o : Out(stream.Signature(CellLayout(cfg)))
        Results in the same order, once for each pass.
    map_addr, map_data
        Fault map, see :class:`FaultMap`: cells that were given up in the last pass that reached them.
    macro : Out(write_pins(cfg))
        The macro.
    enabled : In(1)
        The macro sees what the engine drives. Without it no run begins, and one that is on ends with its cell as a
        fault.
    hold : In(1)
        Freezes the timer, as in a product.
    setup_cycles, verify_cycles : In
        With ``cfg.trim``: the durations of :class:`WriteVerifyConfig`, which a run takes when it begins.
    status : Out(WriteVerifyStatus())
        State and counters.
    """

    p = ports.In(lambda self: ParameterLayout(self.cfg))
    start = ports.In(1)
    stop = ports.In(1)
    i = ports.In(lambda self: stream.Signature(TargetLayout(self.cfg)))
    o = ports.Out(lambda self: stream.Signature(CellLayout(self.cfg)))
    map_addr = ports.In(lambda self: range(self.cfg.map_words))
    map_data = ports.Out(lambda self: self.cfg.map_width)
    macro = ports.Out(lambda self: write_pins(self.cfg))
    enabled = ports.In(1, init=1)
    hold = ports.In(1)
    status = ports.Out(WriteVerifyStatus())
    setup_cycles = ports.In(lambda self: self.cfg.duration_bits["setup_cycles"], when=lambda self: self.cfg.trim)
    verify_cycles = ports.In(lambda self: self.cfg.duration_bits["verify_cycles"], when=lambda self: self.cfg.trim)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cfg, pins, status = self.cfg, self.macro, self.status
        self._held = {name: Signal(width, name=f"{name}_held") for name, width in cfg.duration_bits.items()}
        self._durations = dict(self._held)
        if not cfg.trim:
            for name in ("setup_cycles", "verify_cycles"):
                value = getattr(cfg, name)
                self._durations[name] = named(m, name.upper(), value, value.bit_length())
        m.submodules.register_check = check = RegisterCheck(cfg)
        m.submodules.write_decision = decision = Decision(cfg)
        m.submodules.fault_map = self._faults = faults = FaultMap(cfg)
        self._run = run = Signal(RunLayout())
        self._fault = Signal()
        self._timer = timer = Signal(_TIMER_BITS)
        target, code = (Signal(cfg.verify_bits, name=name) for name in ("target", "code"))
        last, timed = (Signal(name=name) for name in ("last", "timed"))
        self._stop, self._disabled = stop, disabled = [Signal(name=name) for name in ("stop", "disabled")]
        m.d.comb += [
            # A run that was disabled once does not go on: what it then did not see at the pins is not known.
            disabled.eq(~self.enabled | (status.busy & status.error)),
            stop.eq(self.stop | disabled), status.enabled.eq(self.enabled),
            check.p.eq(self.p), decision.p.eq(self.p), decision.run.eq(run),
            decision.code.eq(code), decision.target.eq(target),
            faults.addr.eq(self.map_addr), self.map_data.eq(faults.data), faults.fault.eq(self._fault),
            self.o.p.code.eq(code), self.o.p.fault.eq(self._fault), self.o.p.pulses.eq(run.pulses),
            pins.amplitude.eq(run.amplitude), pins.write_pass.eq(status.write_pass), last.eq((timer == 0) & ~self.hold),
        ]
        self._row = pins.write_bl
        if not cfg.bias:
            self._row = pins.write_wl
            m.d.comb += pins.write_bl.eq(pins.write_wl)
        else:
            self._drive_bias(m)
        m.d.sync += [pins.verify.eq(0), status.done.eq(0)]
        with m.If((timer != 0) & ~self.hold):
            m.d.sync += timer.eq(timer - 1)

        # Before what sets them to 0.
        self._full = [
            *tally(m, status.cycles_total, status.busy, "total"),
            *tally(m, status.cycles_hold, timed & self.hold, "hold"),
        ]
        with m.FSM() as fsm:
            m.d.comb += status.busy.eq(~fsm.ongoing("Idle"))
            m.d.comb += timed.eq(
                fsm.ongoing("Read") | fsm.ongoing("Setup") | fsm.ongoing("Pulse") | fsm.ongoing("Wait")
            )
            with m.State("Idle"), m.If(self.start):
                m.d.sync += status.error.eq(~check.legal | ~self.enabled)
                with m.If(check.legal & self.enabled):
                    self._begin(m)
            with m.State("Clear"), m.If(faults.cleared):
                m.d.sync += [pins.write_mode.eq(1), self._row.eq(1), pins.write_sl.eq(1)]
                m.next = "Fetch"
            with m.State("Fetch"):
                self._fetch(m, target, code)
            with m.State("Read"), m.If(last):
                self._take(m, code)
            with m.State("Decide"):
                self._decide(m, decision)
            with m.State("Setup"):
                self._settle(m, last)
            with m.State("Pulse"), m.If(last | disabled):
                m.d.sync += [pins.set_pulse.eq(0), pins.reset_pulse.eq(0), pins.form_pulse.eq(0)]
                self._after_pulse(m)
            if cfg.pulses:
                self._add_blind_states(m)
            with m.State("Report"):
                self._report(m)
            with m.State("Wait"):
                with m.If(stop):
                    self._end(m)
                with m.Elif(last):
                    self._next_pass(m)
        with m.If(status.busy & ~self.enabled):
            m.d.sync += status.error.eq(1)
        return self.resets(m)

    def _drive_bias(self, m: Module) -> None:
        """Voltages of lines that are not selected, see :func:`~mho.macro_models.cells.bias.bias_codes`.

        They follow the amplitude by a cycle, and a pulse begins a cycle after it at the earliest.
        """
        pins, amplitude = self.macro, self._run.amplitude
        if self.cfg.bias == "half":
            m.d.sync += [pins.bias_rows.eq(amplitude >> 1), pins.bias_columns.eq(amplitude >> 1)]
            return
        low = Signal.like(amplitude)
        high = Signal.like(amplitude)
        resets = self._run.polarity == Polarity.RESET
        # 171 / 512 is a third for all amplitudes, rounded down.
        m.d.comb += [low.eq((amplitude * 171) >> 9), high.eq(amplitude - low)]
        m.d.sync += [pins.bias_rows.eq(Mux(resets, high, low)), pins.bias_columns.eq(Mux(resets, low, high))]

    def _begin(self, m: Module) -> None:
        """Start a run."""
        status = self.status
        counters = (status.write_pass, status.sets, status.resets, status.forms, status.reads, status.pulsed,
                    status.faults, status.cycles_total, status.cycles_hold, *self._full)
        m.d.sync += [counter.eq(0) for counter in counters]
        m.d.sync += [duration.eq(getattr(self, name)) for name, duration in self._held.items()]
        if self.cfg.pulses:
            self._begin_blind(m)
        else:
            m.d.comb += self._faults.clear.eq(1)
            m.next = "Clear"

    def _fetch(self, m: Module, target: Signal, code: Signal) -> None:
        """Take the target of the next cell."""
        m.d.comb += self.i.ready.eq(~self._stop)
        with m.If(self._stop):
            self._end(m)
        with m.Elif(self.i.valid):
            m.d.sync += [target.eq(self.i.p.code), code.eq(0), self._run.eq(0), self._fault.eq(0)]
            with m.If(self.i.p.skip):
                m.next = "Report"
            with m.Else():
                self._read(m)

    def _read(self, m: Module) -> None:
        """The next cycle is the first of a verify read."""
        m.d.sync += [self.macro.verify.eq(1), self.status.reads.eq(self.status.reads + 1)]
        if self.cfg.float_lines:
            m.d.sync += self.macro.float_lines.eq(1)
        self._begin_timer(m, self._durations["verify_cycles"])
        m.next = "Read"

    def _take(self, m: Module, code: Signal) -> None:
        """The end of a verify read, if the macro answers or nobody waits any more."""
        pins = self.macro
        with m.If(pins.verify_valid):
            m.d.sync += code.eq(pins.verify_code)
            m.next = "Decide"
        with m.Elif(self._stop):
            m.d.sync += self._fault.eq(1)
            m.next = "Report"
        if self.cfg.float_lines:
            with m.If(pins.verify_valid | self._stop):
                m.d.sync += pins.float_lines.eq(0)

    def _decide(self, m: Module, decision: Decision) -> None:
        m.d.sync += self._run.eq(decision.next)
        with m.If(decision.done | decision.give_up | self._disabled):
            m.d.sync += self._fault.eq(decision.give_up | self._disabled)
            m.next = "Report"
        with m.Elif(decision.again):
            self._read(m)
        with m.Else():
            self._begin_timer(m, self._durations["setup_cycles"])
            m.next = "Setup"

    def _settle(self, m: Module, last: Value) -> None:
        """What follows the setup time of a pulse."""
        with m.If(self._disabled):
            m.d.sync += self._fault.eq(1)
            m.next = "Report"
            if self.cfg.pulses:
                with m.If(self.p.blind):
                    m.next = "Record"  # where the run ends, without a result
        with m.Elif(last):
            self._pulse(m)

    def _begin_timer(self, m: Module, cycles: Value) -> None:
        """The next cycle is the first of so many, which are one at least."""
        m.d.sync += self._timer.eq((cycles - 1)[: len(cycles)])

    def _pulse(self, m: Module) -> None:
        """The next cycle is the first of a pulse."""
        pins, status, p = self.macro, self.status, self.p
        with m.Switch(self._run.polarity):
            for kind, pin, count, cycles in (
                (Polarity.SET, pins.set_pulse, status.sets, p.set_cycles),
                (Polarity.RESET, pins.reset_pulse, status.resets, p.reset_cycles),
                (Polarity.FORM, pins.form_pulse, status.forms, p.form_cycles),
            ):
                with m.Case(kind):
                    m.d.sync += [pin.eq(1), count.eq(count + 1)]
                    self._begin_timer(m, cycles)
        m.next = "Pulse"

    def _report(self, m: Module) -> None:
        """Hand over the result, enter it into the map and go to the next cell."""
        pins, status, faults = self.macro, self.status, self._faults
        m.d.comb += self.o.valid.eq(1)
        with m.If(self.o.ready):
            m.d.comb += faults.enter.eq(1)
            m.d.sync += [
                status.pulsed.eq(status.pulsed + self._run.started), status.faults.eq(status.faults + self._fault),
                pins.write_sl.eq(pins.write_sl.rotate_left(1)),
            ]
            with m.If(faults.row_end):
                m.d.sync += self._row.eq(self._row.rotate_left(1))
            with m.If(self._stop | (faults.array_end & (status.write_pass == self.p.passes - 1))):
                self._end(m)
            with m.Elif(~faults.array_end):
                m.next = "Fetch"
            with m.Elif(self.p.wait_cycles != 0):
                self._begin_timer(m, self.p.wait_cycles)
                m.next = "Wait"
            with m.Else():
                self._next_pass(m)

    def _next_pass(self, m: Module) -> None:
        status = self.status
        m.d.sync += [status.write_pass.eq(status.write_pass + 1), status.pulsed.eq(0), status.faults.eq(0)]
        m.next = "Fetch"

    def _end(self, m: Module) -> None:
        pins = self.macro
        m.d.sync += [pins.write_mode.eq(0), self._row.eq(0), pins.write_sl.eq(0), self.status.done.eq(1)]
        m.next = "Idle"
