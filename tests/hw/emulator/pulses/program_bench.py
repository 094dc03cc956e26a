"""Programs the cells behind the pins of a core in the generated Verilog, compiled by Verilator."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from mho.hw.core.write_verify.config import WriteVerifyParameters
from mho.hw.emulator.config import EmulatorConfig, LoadLayout, LoadWord
from mho.hw.emulator.kinds.tnsa import EMULATOR
from mho.hw.emulator.pulses.records import LOG, logged_pulses, records_from
from mho.macro_models.integer.pulse import RECORD_WORDS
from mho.sim.build.bench import build_bench
from mho.sim.build.verilate import verilog_text
from tests.stream_bench import StreamBench


class Programmed(NamedTuple):
    """What the hardware did.

    Kind, amplitude and width of each pulse at the pins; code, fault and pulses of each cell and pass; cell, kind and
    amplitude of each pulse in the log; the records at the end.
    """

    pulses: NDArray[np.int64]
    codes: NDArray[np.int64]
    faults: NDArray[np.int64]
    counts: NDArray[np.int64]
    log: NDArray[np.int64]
    records: NDArray[np.uint32]
    cycles_total: int
    cycles_hold: int


class Program(wiring.Component):
    """An emulated core, and what is at its pins."""

    pulse_kinds: Signal
    pulse_amplitude: Signal
    held: Signal

    def __init__(self, cfg: EmulatorConfig) -> None:
        self.cfg, self.inner = cfg, EMULATOR.component(cfg)
        self.passed = dict(self.inner.signature.members)
        super().__init__({**self.passed, "pulse_kinds": Out(3), "pulse_amplitude": Out(8), "held": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inner = self.inner
        m.submodules.inner = inner.elaborate(platform)  # no block of its own, so that its pins can be seen
        for name, member in self.passed.items():
            ours, inner_port = getattr(self, name), getattr(inner, name)
            if member.is_signature:
                connect(m, flipped(ours), inner_port)
            else:
                m.d.comb += inner_port.eq(ours) if member.flow is In else ours.eq(inner_port)
        pins = inner.core.macro
        m.d.comb += [
            self.pulse_kinds.eq(Cat(pins.set_pulse, pins.reset_pulse, pins.form_pulse)),
            self.pulse_amplitude.eq(pins.amplitude), self.held.eq(pins.hold),
        ]
        return m


def build_program(cfg: EmulatorConfig, folder: Path) -> Path:
    """The simulator."""
    return build_bench(folder, verilog_text(Program(cfg), "programmer"), "mho_programmer", fast="-O1")


def run_program(
    simulator: Path, cfg: EmulatorConfig, parameters: WriteVerifyParameters, loads: Iterable[LoadWord],
    targets: NDArray[np.integer], skip: NDArray[np.bool_], log_from: int = 0,
) -> Programmed:
    """Load and program; the log is read from cycle ``log_from`` of the run on."""
    layout, write = LoadLayout(cfg), cfg.blocks.write
    assert write is not None
    bench = StreamBench(simulator, reset_cycles=1)
    bench.set("parameters", parameters.pack(write))
    bench.reset()
    for stream in ("load", "target"):
        bench.feed(stream)
    bench.feed("peek", answer="peeked", latency=2)
    bench.catch("cell")
    bench.queue("load", [layout.const(asdict(word)).as_bits() for word in loads])
    assert bench.run_until_sent(limit=200_000_000)
    bench.set("write_start", 1)
    bench.run(1)
    bench.set("write_start", 0)
    pins = bench.probe("pulse_kinds", "pulse_amplitude", "held", changes=True)
    words = targets.ravel() | skip.ravel().astype(np.int64) << write.verify_bits
    bench.queue("target", words.astype(np.uint32)[:, None], number=1, repeat=True)
    log: list[int] = []
    ended = bench.run_until("write_status_done", 1, limit=log_from) if log_from else False
    # Read in each third cycle, until the run has ended and the log is empty.
    bench.queue("peek", [LOG], number=2, pause=2, repeat=True)
    ended = ended or bench.run_until("write_status_done", 1, limit=200_000_000)
    assert ended, "it hangs"
    while not log or log[-1] >> 31:
        bench.run(3)
        log += bench.answers("peek").tolist()
    bench.queue("peek", [], number=2)
    bench.run_until_sent()
    bench.answers("peek")
    bench.queue("peek", [records_from(cfg) + k for k in range(RECORD_WORDS * cfg.lines**2)], number=2, pause=2)
    bench.run_until_sent()
    records = bench.answers("peek").reshape(-1, RECORD_WORDS)
    cells = bench.caught("cell")[:, 1].astype(np.int64).reshape(-1, cfg.lines, cfg.lines)
    cycles = [bench.get(f"write_status_cycles_{name}") for name in ("total", "hold")]
    pulses = _pulses(bench.noted(pins).astype(np.int64))
    bench.close()
    bits = write.verify_bits
    return Programmed(
        pulses, cells & 2**bits - 1, cells >> bits & 1, cells >> bits + 1, logged_pulses(np.array(log, dtype="<u4")),
        records, *cycles,
    )


def _pulses(notes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Kind, amplitude and width of each pulse, from what the pins had from which cycle on; holds do not count."""
    cycle, kinds, amplitude, hold = notes.T
    on, before = kinds > 0, np.concatenate([[0], kinds[:-1]]) > 0
    lasts = np.where(on & (hold == 0), np.append(np.diff(cycle), 0), 0)
    begins = np.flatnonzero(on & ~before)
    widths = np.add.reduceat(lasts, begins) if len(begins) else begins
    return np.column_stack([kinds[begins] >> 1, amplitude[begins], widths])
