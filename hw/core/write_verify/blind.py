"""Blind runs of the write-verify engine: pulses for listed cells, without reads."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value

from mho.hw.block import Resettable
from mho.hw.core.counting import following
from mho.hw.core.write_verify.config import WriteVerifyConfig
from mho.macro_models.integer.pulse import Polarity


class BlindRuns(Resettable[WriteVerifyConfig]):
    """States of :class:`mho.hw.core.write_verify.engine.WriteVerify` that a blind run has beside its own.

    There are no results: the counters of pulses say what was given. A record takes a cycle, its cell as many as the
    further of its two lines is away and one more, each of its pulses the setup time and its width; the record that ends
    the run takes one. So records sorted by row cost least. The numpy reference is
    :func:`mho.hw.core.write_verify.reference.give_pulses`.
    """

    p: Any
    i: Any
    macro: Any
    _durations: Mapping[str, Value]
    _faults: Any
    _run: Any
    _row: Signal
    _stop: Value
    _read: Any
    _end: Any
    _begin_timer: Any

    def _begin_blind(self, m: Module) -> None:
        """Start a run, if it is blind with its first record. The fault map then stays that of the run before."""
        widths = zip(("col", "row"), self.cfg.cell_bits, strict=True)
        self._at = [Signal(bits, name=f"{name}_at") for name, bits in widths]
        m.d.comb += self._faults.clear.eq(~self.p.blind)
        with m.If(self.p.blind):
            m.d.sync += [self.macro.write_mode.eq(1), self._row.eq(1), self.macro.write_sl.eq(1)]
            m.d.sync += [at.eq(0) for at in self._at]
            m.next = "Record"
        with m.Else():
            m.next = "Clear"

    def _add_blind_states(self, m: Module) -> None:
        """States of a blind run, which takes records, and walks to their cells."""
        bits = self.cfg.cell_bits
        wanted = [Signal(width, name=f"{name}_wanted") for name, width in zip(("col", "row"), bits, strict=True)]
        with m.State("Record"):
            self._record(m, wanted)
        with m.State("Walk"):
            self._walk(m, wanted)

    def _record(self, m: Module, wanted: list[Signal]) -> None:
        """Take the next record of a blind run."""
        record, run, p = self.i.p, self._run, self.p
        m.d.comb += self.i.ready.eq(~self._stop)
        with m.If(self._stop | (self.i.valid & record.skip)):
            self._end(m)
        with m.Elif(self.i.valid):
            # `pulses` counts down.
            m.d.sync += [
                run.pulses.eq(record.code), run.polarity.eq(Mux(record.reset, Polarity.RESET, Polarity.SET)),
                run.amplitude.eq(Mux(record.reset, p.reset_start, p.set_start)),
                *(line.eq(value) for line, value in zip(wanted, (record.col, record.row), strict=True)),
            ]
            m.next = "Walk"

    def _walk(self, m: Module, wanted: list[Signal]) -> None:
        """Select the record's cell: its lines are reached one by one, so that no decoder is needed."""
        away = Signal(2)
        lines = zip(self._at, wanted, (self.macro.write_sl, self._row), reversed(self.cfg.shape), strict=True)
        for k, (at, line, mask, count) in enumerate(lines):
            m.d.comb += away[k].eq(at != line)
            with m.If(away[k]):
                m.d.sync += [mask.eq(mask.rotate_left(1)), at.eq(following(at, count))]
        with m.If(self._stop):
            self._end(m)
        with m.Elif(away == 0):
            self._begin_timer(m, self._durations["setup_cycles"])
            m.next = "Setup"

    def _after_pulse(self, m: Module) -> None:
        """A read, or in a blind run the next pulse of the record, or the next record."""
        if not self.cfg.pulses:
            self._read(m)
            return
        left = self._run.pulses
        with m.If(~self.p.blind):
            self._read(m)
        with m.Elif(self._stop | (left <= 1)):
            m.next = "Record"
        with m.Else():
            m.d.sync += left.eq(left - 1)
            self._begin_timer(m, self._durations["setup_cycles"])
            m.next = "Setup"
