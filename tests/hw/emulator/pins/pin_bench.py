"""Programs the cells behind the pins of a core in the generated Verilog, compiled by Verilator."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from numpy.typing import NDArray

from hw.core.write_verify import WriteVerifyConfig, WriteVerifyParameters
from hw.emulator import LoadLayout, LoadWord, PinEmulatorConfig, PinLevelCore, logged_pulses
from hw.emulator.pins.config import LOG
from macro_models.exact.pulse import RECORD_WORDS
from tests.hw.emulator.emulator_bench import compile_bench

MAIN = Path(__file__).with_name("pin_program.cpp.txt")


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
    """A core at pin level, and what is at its pins."""

    pulse_kinds: Signal
    pulse_amplitude: Signal
    held: Signal

    def __init__(self, cfg: PinEmulatorConfig, write: WriteVerifyConfig) -> None:
        self.cfg, self.write = cfg, write
        self.inner = PinLevelCore(cfg, write)
        self.passed = dict(self.inner.signature.members)
        super().__init__({**self.passed, "pulse_kinds": Out(3), "pulse_amplitude": Out(8), "held": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        inner = self.inner
        m.submodules.inner = inner.elaborate(platform)  # no block of its own, so that its pins can be seen
        for name, member in self.passed.items():
            ours, its = getattr(self, name), getattr(inner, name)
            if member.is_signature:
                connect(m, flipped(ours), its)
            else:
                m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)
        pins = inner.core.macro
        m.d.comb += [
            self.pulse_kinds.eq(Cat(pins.set_pulse, pins.reset_pulse, pins.form_pulse)),
            self.pulse_amplitude.eq(pins.amplitude), self.held.eq(pins.hold),
        ]
        return m


def build_program(cfg: PinEmulatorConfig, write: WriteVerifyConfig, folder: Path, log_from: int = 0) -> Path:
    """The simulator, which reads the log from cycle ``log_from`` on."""
    count = RECORD_WORDS * cfg.lines**2
    values = {
        "VERIFY_BITS": write.verify_bits, "LOG": LOG, "LOG_FROM": log_from, "RECORDS": cfg.records,
        "RECORD_COUNT": count,
    }
    defines = [f"-D{name}={value}" for name, value in values.items()]
    return compile_bench(Program(cfg, write), "programmer", MAIN, folder, defines=defines)


def run_program(
    simulator: Path, cfg: PinEmulatorConfig, write: WriteVerifyConfig, parameters: WriteVerifyParameters,
    loads: Iterable[LoadWord], targets: NDArray[np.integer], skip: NDArray[np.bool_],
) -> Programmed:
    """Load and program."""
    folder = simulator.parent.parent
    layout = LoadLayout(cfg)
    payloads = [layout.const({**word.payload()}).as_bits() for word in loads]
    np.array([[bits >> 32 * k & 0xFFFFFFFF for k in range(3)] for bits in payloads], dtype="<u4").tofile(
        folder / "load.u32"
    )
    packed = parameters.pack(write)
    registers = [packed >> 32 * k & 0xFFFFFFFF for k in range(-(-packed.bit_length() // 32))]
    np.array(registers, dtype="<u4").tofile(folder / "registers.u32")
    (targets.ravel() | skip.ravel().astype(np.int64) << 15).astype("<u2").tofile(folder / "targets.u16")
    run = subprocess.run([str(simulator)], cwd=folder, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stdout
    pulses = np.fromfile(folder / "pulses.u32", dtype="<u4").astype(np.int64).reshape(-1, 3)
    cells = np.fromfile(folder / "cells.u32", dtype="<u4").astype(np.int64).reshape(-1, cfg.lines, cfg.lines)
    bits = write.verify_bits
    return Programmed(
        pulses, cells & 2**bits - 1, cells >> bits & 1, cells >> bits + 1,
        logged_pulses(np.fromfile(folder / "log.u32", dtype="<u4")),
        np.fromfile(folder / "records.u32", dtype="<u4").reshape(-1, RECORD_WORDS).astype(np.uint32),
        *(int(word) for word in run.stdout.split()),
    )
